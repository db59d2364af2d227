package dataplane

import (
	"math/bits"

	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/ingress"
)

// This file is how a packet ends. Once decided it stays in its flow's queue until all before it are decided, and is retired: queued
// for the other port and freed when that has taken it, or discarded. Each way out counts it, once.

// decide says what becomes of slot i, by a verdict or for want of one, and retires its flow's queue as far as it is decided.
func (s *Shard) decide(i uint32, v Reason) {
	sl := &s.slots.s[i]
	sl.phase, sl.verdict = decided, v
	s.retire(s.flows.Entry(sl.flow), sl.flags&reversed)
}

// resolve decides slot i without a verdict, by the policy for what it lacked.
func (s *Shard) resolve(i uint32, why Reason) {
	closed := s.cfg.FailureClosed
	var opened *uint64
	switch why {
	case NoWorker:
		opened = &s.led.OpenNoWorker
	case Overload:
		closed, opened = s.cfg.OverloadClosed, &s.led.OpenOverload
	case Poison:
		opened = &s.led.OpenPoison
	default:
		opened = &s.led.OpenNoVerdict
	}
	if !closed {
		*opened++
		why = keep
	}
	s.decide(i, why)
}

// retire takes what is decided from the head of a flow's queue of direction dir.
func (s *Shard) retire(e *flowtable.Entry, dir uint8) {
	for e.Head[dir] != none {
		i := e.Head[dir]
		sl := &s.slots.s[i]
		if sl.phase != decided {
			return
		}
		e.Head[dir] = sl.next
		if e.Head[dir] == none {
			e.Tail[dir] = none
		}
		e.InFlight--
		delay := uint64(s.clock.now - sl.received)
		s.led.DelayNS += delay
		s.led.Delay[min(bits.Len64(delay/1000), len(s.led.Delay)-1)]++
		if sl.verdict == keep {
			s.enqueueTX(i)
		} else {
			s.discard(i, sl.verdict)
		}
	}
}

// enqueueTX queues slot i for the port opposite to the one it came in on.
func (s *Shard) enqueueTX(i uint32) {
	sl := &s.slots.s[i]
	sl.phase = leaving
	s.ports.tx[sl.side.Other()].push(s.slots, i)
}

// transmitted counts slot i, whose bytes its port has copied, and frees it.
func (s *Shard) transmitted(i uint32) {
	sl := &s.slots.s[i]
	p := &s.led.Ports[sl.side]
	if sl.flags&bypassed != 0 {
		p.Bypassed++
	} else {
		p.Forwarded++
		p.ForwardedBytes += uint64(s.slots.frames[i].Wire)
	}
	s.free(i)
}

// discard drops slot i, which stands in no queue any more.
func (s *Shard) discard(i uint32, why Reason) {
	s.led.Ports[s.slots.s[i].side].Dropped[why]++
	s.free(i)
}

// free gives the frame back to the port it is parked in and the slot to the table.
func (s *Shard) free(i uint32) {
	sl := &s.slots.s[i]
	s.freeFrame(int(sl.owner), sl.side, sl.frame)
	s.slots.put(i)
}

// freeFrame gives a frame back to the shard in whose port of that side it is parked.
func (s *Shard) freeFrame(owner int, side ingress.Side, id uint32) {
	if owner == s.id {
		s.ports.free(side, id)
	} else {
		s.steering.giveBack(owner, side, id)
	}
}

// discardAll drops everything that is still parked.
func (s *Shard) discardAll(why Reason) {
	for side := range s.ports.tx {
		for q := &s.ports.tx[side]; q.head != none; {
			s.discard(q.pop(s.slots), why)
		}
	}
	for i := s.slots.oldest; i != none; i = s.slots.oldest {
		s.stopWaiting(i)
		// The queues of its flow end with the shard: the slot is freed where it stands.
		s.discard(i, why)
	}
	s.steering.receiveReturned(&s.ports)
	s.ports.release()
}
