package dataplane

import "github.com/granule-nf/granule/ingress/packet"

// routes say where the packets of a stage's sub-flows go: one table for each stage.
type routes []stageRoutes

// stageRoutes are a stage's, by sub-flow.
type stageRoutes struct {
	conn     [SubFlows]uint16   // connection that its packets go to, noConn while they wait
	state    [SubFlows]uint32   // its holder: the worker that has its state, 0 if none has
	held     [SubFlows]uint32   // packets that are at its connection and have no verdict
	arrivals [SubFlows]arrivals // that have come for it
	waiting  [SubFlows]queue    // packets that wait for it to have a connection
	next     [SubFlows]uint16   // connection that it is to be handed off to, where pending
	pending  [SubFlows]bool
	handoff  [SubFlows]uint8 // number of its hand-off, from 1
	chain    int
	space    *flowSpace
}

func newRoutes(stages int) routes {
	r := make(routes, stages)
	for stage := range r {
		for sub := range r[stage].conn {
			r[stage].conn[sub], r[stage].next[sub] = noConn, noConn
			r[stage].waiting[sub] = newQueue()
		}
	}
	return r
}

// withdraw takes a stage's sub-flows from connection id: they have no worker from here on.
func (r routes) withdraw(stage int, id uint16) {
	conn := &r[stage].conn
	for sub, to := range conn {
		if to == id {
			conn[sub] = noConn
		}
	}
}

// index finds connections of a stage by worker. Workers are numbered as they are started, so the low bits of a number nearly always find
// it, without going through all of them for each sub-flow.
type index struct {
	conns *connections
	stage int
	near  [MaxWorkers]uint16
}

func (x *index) of(conns *connections, stage int) {
	x.conns, x.stage = conns, stage
	for i := range x.near {
		x.near[i] = noConn
	}
	for i := range conns.all {
		if c := &conns.all[i]; c.used && c.pool == stage {
			x.near[c.worker%MaxWorkers] = uint16(i)
		}
	}
}

func (x *index) find(worker uint32) uint16 {
	if worker == 0 {
		return noConn
	}
	id := x.near[worker%MaxWorkers]
	if id != noConn && x.conns.all[id].worker != worker {
		id = x.conns.of(x.stage, worker)
	}
	return id
}

// reroute resolves the placement's workers to this shard's connections, has sub-flows handed off where they are other workers than those that
// have their state, and ships what has waited for one. It is done between two packets.
func (s *Shard) reroute() {
	s.handoffs.pending = 0
	for stage := range s.routes {
		var x index
		x.of(&s.conns, stage)
		for sub := range SubFlows {
			s.route(stage, uint16(sub), &x)
		}
	}
}

// route brings one sub-flow to where the placement wants it.
func (s *Shard) route(stage int, sub uint16, x *index) {
	r := &s.routes[stage]
	worker := uint32(0)
	if s.placement != nil && stage < len(s.placement.Pools) {
		worker = s.placement.Pools[stage][sub]
	}
	to := x.find(worker)
	if n := r.handoff[sub]; n != 0 {
		h := &s.handoffs.all[n-1]
		if h.to == to {
			return
		}
		s.abandon(h)
	}
	r.pending[sub] = false
	holder := x.find(r.state[sub])
	replica := s.replica(stage)
	switch {
	case r.state[sub] == 0 || r.state[sub] == worker:
		r.conn[sub] = to
		if to != noConn {
			r.state[sub] = worker
		}
	case to == noConn: // whoever has it goes on
		r.conn[sub] = holder
	case !s.conns.all[to].forgetting() && holder != noConn && r.held[sub] == 0 && !replica.Knows(sub): // there is nothing to hand off
		r.conn[sub], r.state[sub] = to, worker
		if holder != noConn {
			s.release(holder, sub)
		}
	default:
		r.conn[sub], r.next[sub], r.pending[sub] = holder, to, true
		s.handoffs.pending++
		return
	}
	if r.conn[sub] != noConn && r.waiting[sub].n > 0 {
		s.dispatchWaiting(stage, sub)
	}
}

// poolOf is the stage that slot i is in, among all chains'.
func (s *Shard) poolOf(i uint32) int {
	sl := &s.slots.s[i]
	return s.cfg.Chains[sl.chain].First + int(sl.stage)
}

// Holds implements replica.Say: only what a sub-flow's holder says of its flows counts.
func (r *stageRoutes) Holds(worker uint32, sub uint16) bool { return r.state[sub] == worker }

// Home implements replica.Say.
func (r *stageRoutes) Home(sub uint16, key *[6]uint64) bool {
	return r.space.isHome(r.chain, sub, (*packet.Key)(key))
}
