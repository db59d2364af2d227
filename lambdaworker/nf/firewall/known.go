package firewall

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// known passes a packet of an established connection whose verdict is in the cache, which most packets are, and reports
// whether p was one. It does what see, judge and decide would, in one straight line; where it reports false nothing was
// changed.
func (f *Firewall) known(b *nf.Batch, p *nf.Packet) bool {
	if !cacheable(p) {
		return false
	}
	e := f.cache.entry(p)
	if !e.holds(p, ctEstablished) || e.verdict != nf.Pass {
		return false
	}
	t := f.track
	c := &t.conns[p.Flow]
	if c.proto != p.Proto || c.expires[0] <= p.Time {
		return false
	}
	if p.Proto == packet.ProtoTCP {
		if !t.predict(p, c) {
			return false
		}
	} else {
		if c.status&seenReply == 0 || binary.BigEndian.Uint16(p.Data[p.L4+4:]) < 8 {
			return false
		}
		timeout := t.timeouts.UDP
		if p.Time > c.expires[1] {
			timeout = t.timeouts.UDPStream
			c.status |= assured
		}
		c.expires[0] = p.Time + timeout.ns()
	}
	for _, k := range e.counters[:e.n] {
		f.counts[k].add(p)
	}
	f.stats[accepted]++
	b.Touch(p.Flow)
	return true
}
