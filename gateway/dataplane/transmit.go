package dataplane

import "github.com/granule-nf/granule/ingress"

// txQueue holds retired slots, linked by next, until their port takes them.
type txQueue struct {
	head, tail uint32
}

// leave queues slot i for the port opposite to the one it came in on.
func (s *Shard) leave(i uint32) {
	sl := &s.slots.s[i]
	sl.phase, sl.next = leaving, none
	q := &s.sending[sl.side.Other()]
	if q.tail == none {
		q.head = i
	} else {
		s.slots.s[q.tail].next = i
	}
	q.tail = i
}

// send gives the port of side what is queued for it, and kicks it. It reports whether something is still on its way.
func (s *Shard) send(side ingress.Side) (pending bool) {
	q, port := &s.sending[side], s.ports[side]
	for q.head != none {
		n := 0
		for i := q.head; i != none && n < s.cfg.Burst; i = s.slots.s[i].next {
			s.tx[n] = s.slots.frames[i]
			n++
		}
		took := port.Transmit(s.tx[:n])
		for range took {
			s.sent(s.popSend(q))
		}
		if took < n {
			if took == 0 {
				s.expireSend(q)
			}
			pending = true
			break
		}
	}
	return port.Flush() || pending
}

func (s *Shard) popSend(q *txQueue) uint32 {
	i := q.head
	q.head = s.slots.s[i].next
	if q.head == none {
		q.tail = none
	}
	return i
}

// sent counts slot i, whose bytes its port has copied, and frees it.
func (s *Shard) sent(i uint32) {
	sl := &s.slots.s[i]
	p := &s.led.Ports[sl.side]
	if sl.flags&bypassed != 0 {
		p.Bypassed++
	} else {
		p.Forwarded++
		p.ForwardedBytes += uint64(s.slots.frames[i].Wire)
	}
	s.freeSlot(i)
}

// expireSend drops what a port that takes nothing has kept waiting too long.
func (s *Shard) expireSend(q *txQueue) {
	for q.head != none && s.now-s.slots.s[q.head].received > 2*s.cfg.MaxDelay.Nanoseconds() {
		s.discard(s.popSend(q), TxFull)
	}
}

// giveBack returns the frames freed in this turn to their ports, in one call each.
func (s *Shard) giveBack() {
	s.takeReturned()
	for side := range s.release {
		if len(s.release[side]) > 0 {
			s.ports[side].Release(s.release[side])
			s.release[side] = s.release[side][:0]
		}
	}
}
