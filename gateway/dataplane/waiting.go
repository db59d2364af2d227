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
	case sl.phase != waiting:
		return NoVerdict
	case sl.holder == noConn:
		s.unassigned.remove(s.slots, i)
		return NoWorker
	}
	s.conns.all[sl.holder].waiting.remove(s.slots, i)
	return Overload
}

// shipWaiting ships what waited for room on connection c, whose index is id, as far as there is some.
func (s *Shard) shipWaiting(c *conn, id uint16) {
	for c.waiting.n > 0 {
		i := c.waiting.pop(s.slots)
		if !s.ship(c, id, i) {
			c.waiting.pushFront(s.slots, i)
			return
		}
	}
}

// dispatchUnassigned tries everything that waits for a worker once more, in order.
func (s *Shard) dispatchUnassigned() {
	for n := s.unassigned.n; n > 0; n-- {
		s.dispatch(s.unassigned.pop(s.slots))
	}
}
