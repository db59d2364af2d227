package dataplane

import (
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// The XDP program relays or drops a queue's frames by itself while its shard's heartbeat is older than this (xdpprog.DefaultMaxAge): when the process
// was stopped, or starved of its processor. Flows have moved on then without a worker having seen it, and what stands in the rings has waited since.
const unseenAfter = int64(time.Second)

// gap is a time without heartbeat.
type gap struct {
	beat   int64 // when the last one was; 0 before the first
	open   bool  // it is over, but frames of before may still be in the rings
	newest int64 // when the newest of those can have come
}

// noticeGap is asked at the beginning of each turn. After a gap workers are told to take flows up where they find them.
func (s *Shard) noticeGap() {
	g := &s.gap
	if g.beat == 0 || g.open || s.cfg.WaitForWorkers || s.clock.now-g.beat <= unseenAfter {
		return
	}
	g.open, g.newest = true, g.beat+unseenAfter
	s.led.Gaps++
	for pool := range s.routes {
		s.replica(pool).Unseen()
	}
	for id := range s.conns.all {
		if c := &s.conns.all[id]; c.used && !c.link.Resync() {
			s.lose(uint16(id), "it can't be told that packets have passed unseen")
		}
	}
}

// stale reports whether what is received now has waited in the ring for longer than a packet may be parked.
func (s *Shard) stale() bool {
	return s.gap.open && s.clock.now-s.gap.newest > s.cfg.MaxDelay.Nanoseconds()
}

// arrival is when what is received now arrived, at the latest.
func (s *Shard) arrival() int64 {
	if s.gap.open {
		return s.gap.newest
	}
	return s.clock.now
}

// beat tells the XDP program that packets are judged here. Until the rings hold nothing of before a gap it does not, so that nothing newer joins that; nor,
// where the wire is relayed from before the start, until there are workers for all of it.
func (s *Shard) beat() {
	if s.gap.open || s.cfg.BeatWhenJudging && !s.judging() {
		return
	}
	s.hooks.Beat(s.id)
	s.gap.beat = s.clock.now
	s.due.beat = s.clock.now + int64(10*time.Millisecond)
}

// judging reports whether every sub-flow of every stage has had a worker once.
func (s *Shard) judging() bool {
	for stage := range s.routes {
		for _, id := range s.routes[stage].conn {
			if id == noConn {
				return false
			}
		}
	}
	s.cfg.BeatWhenJudging = false
	return true
}

// chainOf is the chain of a flow that the table does not know. The first packet decides that; of a flow that an earlier process knew, it came long ago, and
// the chain is the one that has state of it.
func (s *Shard) chainOf(f *ingress.Frame, key *packet.Key) uint8 {
	if s.cfg.Restored {
		for pool := range s.cfg.Stages {
			if s.replica(pool).Has((*[6]uint64)(key)) {
				return uint8(s.cfg.Stages[pool].Chain)
			}
		}
	}
	return s.cfg.Rules.Chain(f.Data, f.Wire)
}
