package dataplane

import (
	"slices"

	"github.com/granule-nf/granule/gateway/dataplane/classify"
)

// SubFlows is how many sub-flows a chain's flow space has.
const SubFlows = 4096

// Placement says which worker has which sub-flow. It is never changed once published; the packet path reads one
// pointer. A worker keeps all its sub-flows from one placement to the next, or leaves it: what it had not answered
// is then sent to its successors, which is the same path whether it was retired or died.
type Placement struct {
	Version uint64
	Pools   []Pool  // one for each stage, in the order of Config.Stages
	Layout  *Layout // of the configuration that these workers have; nil: that of Config
}

// Layout is what a shard knows of a configuration, and what another one may change under it: the shards adopt it together with its
// workers. Chains, their stages and their affinities stay: slots and flows name them by number.
type Layout struct {
	Stages        []Stage // as many as Config.Stages
	Choose        classify.Chooser
	DropUnmatched bool
}

// Pool is the placement of one stage: the worker of each sub-flow, 0 for none.
type Pool [SubFlows]uint32

// has reports whether worker has a sub-flow in pool.
func (p *Placement) has(pool int, worker uint32) bool {
	return p != nil && pool < len(p.Pools) && slices.Contains(p.Pools[pool][:], worker)
}

// adopt makes p the shard's placement: workers that are in it no more lose their connection, and the packets that they had go to
// their successors before anything newer of the same sub-flows does.
func (s *Shard) adopt(p *Placement) {
	for i := range s.conns.all {
		if c := &s.conns.all[i]; c.used && !p.has(c.pool, c.worker) && s.placement.has(c.pool, c.worker) {
			c.retired = true
			s.lose(uint16(i), "no longer placed")
		}
	}
	if l := p.Layout; l != nil {
		s.forgetState(l.Stages)
		s.cfg.Stages, s.cfg.Choose, s.cfg.DropUnmatched = l.Stages, l.Choose, l.DropUnmatched
	}
	s.placement = p
	s.reroute()
}

// reroute resolves the placement's workers to this shard's connections, has state transferred where they are other workers than
// before, and ships what has waited for one.
func (s *Shard) reroute() {
	s.routes.resolve(s.placement, &s.conns)
	s.beginTransfers()
	s.dispatchUnassigned()
}
