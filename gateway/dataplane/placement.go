package dataplane

import (
	"slices"

	"github.com/granule-nf/granule/gateway/dataplane/classify"
)

// SubFlows is how many sub-flows a chain's flow space has.
const SubFlows = 4096

// Placement says which worker has which sub-flow. It is never changed once published; the packet path reads one
// pointer. A sub-flow that it gives to another worker is handed off (handoff.go).
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
	Datagrams     bool
	DropUnmatched bool
}

// Pool is the placement of one stage: the worker of each sub-flow, 0 for none.
type Pool [SubFlows]uint32

// has reports whether worker has a sub-flow in pool.
func (p *Placement) has(pool int, worker uint32) bool {
	return p != nil && pool < len(p.Pools) && slices.Contains(p.Pools[pool][:], worker)
}

// adopt makes p the shard's placement. Workers that are in it no more are released when their sub-flows have been handed off; where another
// configuration comes with it, they lose their connection, and the packets that they had go to their successors.
func (s *Shard) adopt(p *Placement) {
	other := p.Layout != nil && p.Layout != s.layout
	for i := range s.conns.all {
		c := &s.conns.all[i]
		if !c.used {
			continue
		}
		had := s.placement.has(c.pool, c.worker)
		switch {
		case p.has(c.pool, c.worker):
			c.retired, c.empty = false, false
		case other && had:
			c.retired = true
			s.lose(uint16(i), "no longer placed")
		case had:
			c.retired = true
		}
	}
	if l := p.Layout; other {
		s.layout = l
		for i := range s.handoffs.all {
			if h := &s.handoffs.all[i]; h.used {
				s.abandon(h)
			}
		}
		s.forgetState(l.Stages)
		s.cfg.Stages, s.cfg.Choose, s.cfg.DropUnmatched, s.cfg.Datagrams = l.Stages, l.Choose, l.DropUnmatched, l.Datagrams
	}
	s.placement = p
	s.grant(p)
	s.reroute()
}
