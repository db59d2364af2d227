package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
)

// known passes a packet of an established connection whose verdict is in the cache, which most packets are, and reports
// whether p was one. It does what see, judge and decide would, in one straight line; where it reports false nothing was
// changed.
func (f *Firewall) known(b *nf.Batch, p *nf.Packet) bool {
	if !cacheable(p) {
		return false
	}
	e := f.cache.entry(p)
	if !e.holds(p, conntrack.StateEstablished) || e.verdict != nf.Pass {
		return false
	}
	if !f.track.Known(p) {
		return false
	}
	if f.track.Promoted {
		f.track.Promoted = false
		b.Flows.SetClass(p.Flow, f.track.Class(p.Flow))
	}
	for _, k := range e.counters[:e.n] {
		f.machine.Counts[k].Add(p)
	}
	f.stats[accepted]++
	b.Touch(p.Flow)
	return true
}
