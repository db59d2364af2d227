package dataplane

// wait puts slot i at the end of q, which is that of connection holder, or of none.
func (s *Shard) wait(q *queue, i uint32, holder uint16) {
	sl := &s.slots.s[i]
	sl.phase, sl.holder = waiting, holder
	q.push(s.slots, i)
}

// stopWaiting takes slot i out of the queue it waits in, if it does, and returns what it has lacked: a verdict, if it does not wait.
func (s *Shard) stopWaiting(i uint32) Reason {
	sl := &s.slots.s[i]
	switch {
	case sl.phase == sent:
		s.routes[s.poolOf(i)].held[sl.sub]--
		return NoVerdict
	case sl.phase != waiting:
		return NoVerdict
	case sl.holder == noConn:
		s.routes[s.poolOf(i)].waiting[sl.sub].remove(s.slots, i)
		s.unassigned--
		return NoWorker
	}
	s.routes[s.poolOf(i)].held[sl.sub]--
	s.conns.all[sl.holder].queueOf(sl.losses).remove(s.slots, i)
	return Overload
}

// shipWaiting ships what waited for room on connection c, whose index is id, as far as there is some.
func (s *Shard) shipWaiting(c *conn, id uint16) {
	for _, q := range [...]*queue{&c.suspects, &c.waiting} {
		for q.n > 0 {
			i := q.pop(s.slots)
			if !s.ship(c, id, i) {
				q.pushFront(s.slots, i)
				return
			}
		}
	}
}

// dispatchWaiting tries everything that waits for a sub-flow to have a connection once more, in order.
func (s *Shard) dispatchWaiting(pool int, sub uint16) {
	q := &s.routes[pool].waiting[sub]
	for n := q.n; n > 0; n-- {
		s.unassigned--
		s.dispatch(q.pop(s.slots))
	}
}
