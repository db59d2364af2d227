package dataplane

import (
	"bytes"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/relay/wire"
)

// This file is what a worker may do to packets. A stage's functions say what they change and whether they make frames (nf.Needs); a
// worker that does more does not run them, or not alone, and is disconnected: a protocol violation. What functions may do but no link
// could carry is dropped, under a reason of its own.

// Extent is how much of a packet a stage may change.
type Extent uint8

// Extents, as nf has them.
const (
	Nothing Extent = iota
	Headers
	Full // and its length
)

// maxInjections is how many frames a packet may cause in one stage: a rejected one is told to both of its ends, by one function or two.
const maxInjections = 4

// rights are what the stage of a connection may do, as of the configuration that its worker runs.
type rights struct {
	writes  Extent
	injects bool
}

func (s *Shard) rightsOf(stage int) rights {
	if stage >= len(s.cfg.Stages) {
		return rights{}
	}
	return rights{s.cfg.Stages[stage].Writes, s.cfg.Stages[stage].Injects}
}

// grant gives workers that p places the rights of its stages. Others keep those that they had: they answer what they have.
func (s *Shard) grant(p *Placement) {
	for i := range s.conns.all {
		if c := &s.conns.all[i]; c.used && p.has(c.pool, c.worker) {
			c.rights = s.rightsOf(c.pool)
		}
	}
}

// violate notes the first thing that a connection did against its rights or the protocol. From then on nothing that it says counts.
func (c *conn) violate(what string) {
	if c.violation == "" {
		c.violation = what
	}
}

// mayRewrite reports whether a worker with rights r may make data of a packet's frame, of which it may change that many bytes of headers.
// Beyond what it may change everything has to be as it was: with --ship full a worker sends back whole packets whatever it does.
func (r rights) mayRewrite(frame []byte, headers uint16, what uint8, data []byte) bool {
	if what == wire.RewroteHeaders && len(data) > len(frame) {
		return false
	}
	own := 0
	switch r.writes {
	case Full:
		return true
	case Headers:
		own = int(headers)
	}
	if what == wire.RewroteWhole && len(data) != len(frame) {
		return false
	}
	return own >= len(data) || bytes.Equal(data[own:], frame[own:len(data)])
}

// mayInject reports whether a frame belongs to the packet that caused it: it bears the same MAC addresses, in the same order or the
// other way round, and the same VLAN tags.
func mayInject(frame, cause []byte) bool {
	const ends = 12
	if len(cause) < minFrame {
		return false
	}
	forth := bytes.Equal(frame[:ends], cause[:ends])
	back := bytes.Equal(frame[:6], cause[6:ends]) && bytes.Equal(frame[6:ends], cause[:6])
	tags := tagsLen(cause)
	return (forth || back) && tags == tagsLen(frame) && bytes.Equal(frame[ends:ends+tags], cause[ends:ends+tags])
}

// tagsLen is how many bytes of VLAN tags a frame has.
func tagsLen(frame []byte) (n int) {
	for len(frame) >= minFrame+n+4 {
		switch uint16(frame[12+n])<<8 | uint16(frame[13+n]) {
		case packet.EtherVLAN, packet.EtherQinQ, packet.EtherQinQ2:
			n += 4
		default:
			return n
		}
	}
	return n
}

// minFrame is an Ethernet header: a link carries nothing shorter.
const minFrame = 14

// fits says why the port of side can't carry frame, which takes the place of one of was bytes that it could carry; keep if it can. short
// and long are the reasons.
func (s *Shard) fits(frame []byte, side ingress.Side, was int, short, long Reason) Reason {
	p := s.ports.port[side]
	switch n := len(frame); {
	case n < minFrame:
		return short
	case n > p.MaxFrame(), n > was && p.MTU() > 0 && n > minFrame+tagsLen(frame)+p.MTU():
		return long
	}
	return keep
}
