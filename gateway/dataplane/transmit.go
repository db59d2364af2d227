package dataplane

import "github.com/granule-nf/granule/ingress"

// transmit gives the port of side what is queued for it, and kicks it. It reports whether something is still on its way.
func (s *Shard) transmit(side ingress.Side) (pending bool) {
	q, port, tx := &s.ports.tx[side], s.ports.port[side], &s.ports.scratch
	for q.head != none {
		n := 0
		for i := q.head; i != none && n < s.cfg.Burst; i = s.slots.s[i].next {
			tx[n] = s.slots.frames[i]
			n++
		}
		took := port.Transmit(tx[:n])
		for range took {
			s.transmitted(q.pop(s.slots))
		}
		if took < n {
			if took == 0 {
				s.expireTX(q)
			}
			pending = true
			break
		}
	}
	return port.Flush() || pending
}

// expireTX drops what a port that takes nothing has kept waiting too long.
func (s *Shard) expireTX(q *txQueue) {
	for q.head != none && s.clock.now-s.slots.s[q.head].received > 2*s.cfg.MaxDelay.Nanoseconds() {
		s.discard(q.pop(s.slots), TxFull)
	}
}
