package dataplane

// lose ends connection id. What it had and did not answer, and what waited for it, waits for a successor, in order.
func (s *Shard) lose(id uint16, why string) {
	c := &s.conns.all[id]
	s.poller.remove(c.link.FD())
	s.routes.withdraw(c.pool, id) // so nothing overtakes the orphans
	orphans := append(s.conns.orphans[:0], c.refused...)
	c.link.Outstanding(func(ref uint64) {
		if i, ok := s.slots.get(ref); ok && s.slots.s[i].holder == id {
			orphans = append(orphans, i)
		}
	})
	had := len(orphans)
	for _, q := range [...]*queue{&c.suspects, &c.waiting} {
		for q.n > 0 {
			orphans = append(orphans, q.pop(s.slots))
		}
	}
	s.takenBack(orphans)
	for _, i := range orphans[:had] {
		s.redispatched(i, !c.retired)
	}
	s.conns.orphans = orphans[:0]
	worker, pool, judged := c.worker, c.pool, c.answered > 0
	if why == "" {
		why = c.link.Reason().String()
	}
	c.link.Close()
	imports, released := c.imports[:0], c.released[:0]
	*c = conn{imports: imports, released: released}
	for i := range s.handoffs.all {
		if h := &s.handoffs.all[i]; h.used && h.to == id {
			s.abandon(h)
		}
	}
	s.unpend(pool, id)
	s.handoffs.heirs = append(s.handoffs.heirs, legacy{worker: worker, pool: pool, to: noConn})
	s.hooks.Lost(s.id, worker, pool, judged, why)
}

// redispatched counts slot i, whose worker is gone and had it, and which waits for a successor. suspect: the worker may be gone because of
// it.
func (s *Shard) redispatched(i uint32, suspect bool) {
	sl := &s.slots.s[i]
	if suspect {
		sl.losses++
	}
	if int(sl.losses) >= s.cfg.MaxDeaths {
		s.stopWaiting(i)
		s.resolve(i, Poison)
		return
	}
	s.led.Replayed++
}

// unpend lets sub-flows that were to be handed off to connection id stay where they are.
func (s *Shard) unpend(pool int, id uint16) {
	r := &s.routes[pool]
	for sub, pending := range r.pending {
		if pending && r.next[sub] == id {
			r.pending[sub] = false
			s.handoffs.pending--
		}
	}
}
