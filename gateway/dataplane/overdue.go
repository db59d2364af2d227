package dataplane

import "time"

// resolveOverdue looks for what is late: packets parked longer than --max-delay, workers that answer nothing, idle flows.
func (s *Shard) resolveOverdue() {
	s.resolveOverduePackets()
	s.expireFragments()
	for id := range s.conns.all {
		c := &s.conns.all[id]
		if c.used {
			s.checkEmpty(c)
		}
		if c.used && c.behind(s.clock.now) && s.clock.now-c.progress > s.cfg.WorkerTimeout.Nanoseconds() {
			s.lose(uint16(id), "it left packets unanswered for longer than worker-timeout")
		}
	}
	s.flows.Expire(s.clock.now, 64)
	if s.clock.now >= s.due.report {
		s.due.report = s.clock.now + int64(time.Second)
		s.readPorts()
		s.clock.follow()
		s.requestReports()
	}
}

func (s *Shard) resolveOverduePackets() {
	limit := s.clock.now - s.cfg.MaxDelay.Nanoseconds()
	for i := s.slots.oldest; i != none && s.slots.s[i].received < limit; {
		newer := s.slots.s[i].newer
		if p := s.slots.s[i].phase; p == waiting || p == sent {
			// Resolving may free it and what waited behind it, the next one among them, but nothing older: go on from there.
			older := s.slots.s[i].older
			s.resolve(i, s.stopWaiting(i))
			newer = s.slots.oldest
			if older != none {
				newer = s.slots.s[older].newer
			}
		}
		i = newer
	}
}

// requestReports asks every worker for its counters, and gives up those that have answered none of the last requests.
func (s *Shard) requestReports() {
	for id := range s.conns.all {
		c := &s.conns.all[id]
		switch {
		case !c.used:
		case c.link.RequestReport() && !s.push(c, uint16(id)):
			s.lose(uint16(id), "")
		case c.silent():
			s.lose(uint16(id), "it has answered none of the last requests for a report")
		}
	}
}
