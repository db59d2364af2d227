package dataplane

// lose ends connection id. What it had and did not answer, and what waited for it, waits for a successor, in order.
func (s *Shard) lose(id uint16, why string) {
	c := &s.conns.all[id]
	s.poller.remove(c.link.FD())
	if c.transfer != nil {
		s.conns.importing--
		s.led.ImportsFailed++
	}
	s.routes.withdraw(c.pool, id) // so nothing overtakes the orphans
	orphans := s.conns.orphans[:0]
	c.link.Outstanding(func(ref uint64) {
		if i, ok := s.slots.get(ref); ok {
			orphans = append(orphans, i)
		}
	})
	had := len(orphans)
	for c.waiting.n > 0 {
		orphans = append(orphans, c.waiting.pop(s.slots))
	}
	for n, i := range orphans {
		if n < had {
			s.redispatch(i, !c.retired)
		} else {
			s.wait(&s.unassigned, i, noConn)
		}
	}
	s.conns.orphans = orphans[:0]
	worker, pool := c.worker, c.pool
	if why == "" {
		why = c.link.Reason().String()
	}
	c.link.Close()
	*c = conn{}
	s.hooks.Lost(s.id, worker, pool, why)
}

// redispatch makes slot i, whose worker is gone and had it, wait for a successor. suspect: the worker may be gone because of it.
func (s *Shard) redispatch(i uint32, suspect bool) {
	sl := &s.slots.s[i]
	if suspect {
		sl.losses++
	}
	if int(sl.losses) >= s.cfg.MaxDeaths {
		s.resolve(i, Poison)
		return
	}
	s.led.Replayed++
	s.wait(&s.unassigned, i, noConn)
}
