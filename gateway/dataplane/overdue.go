package dataplane

import "time"

// settleLate looks for what is late: packets parked longer than --max-delay, and workers that answer nothing.
func (s *Shard) settleLate() {
	limit := s.now - s.cfg.MaxDelay.Nanoseconds()
	for i := s.slots.oldest; i != none && s.slots.s[i].received < limit; {
		newer := s.slots.s[i].newer
		if p := s.slots.s[i].phase; p == waiting || p == sent {
			// Settling may free it and what waited behind it, the next one among them, but nothing older: go on from there.
			older := s.slots.s[i].older
			s.settle(i)
			newer = s.slots.oldest
			if older != none {
				newer = s.slots.s[older].newer
			}
		}
		i = newer
	}
	for id := range s.conns {
		c := &s.conns[id]
		if c.used && (c.inflight+c.wait.n > 0 || c.takes != nil) && s.now-c.progress > s.cfg.WorkerTimeout.Nanoseconds() {
			s.lose(c, "it left packets unanswered for longer than worker-timeout")
		}
	}
	s.flows.Expire(s.now, 64)
	if s.now >= s.nextReport {
		s.nextReport = s.now + int64(time.Second)
		s.askPorts()
		if step := time.Now().UnixNano() - s.now; step-s.step > int64(time.Millisecond) || s.step-step > int64(time.Millisecond) {
			s.step = step // less is the time since the turn began
		}
		for id := range s.conns {
			c := &s.conns[id]
			switch {
			case !c.used:
			case c.link.RequestReport() && !s.push(c, uint16(id)):
				s.lose(c, "")
			case c.silent():
				s.lose(c, "it has answered none of the last requests for a report")
			}
		}
	}
}

// silent is asked once a request. It notices workers that have nothing to answer, a standby above all: a hung one must not be
// the successor of a dead one. Requests are counted rather than time, as after a pause of the gateway itself.
func (c *conn) silent() bool {
	if h := c.link.LastHeard(); h != c.heard {
		c.heard, c.unheard = h, 0
		return false
	}
	c.unheard++
	return c.unheard > maxUnheard
}

const maxUnheard = 3

// settle decides slot i without a worker, by the policy for what it was waiting for.
func (s *Shard) settle(i uint32) {
	sl := &s.slots.s[i]
	verdict := NoVerdict
	open, opened := !s.cfg.FailureClosed, &s.led.OpenNoVerdict
	if sl.phase == waiting {
		if sl.holder == noConn {
			s.unplaced.remove(s.slots, i)
			verdict, opened = NoWorker, &s.led.OpenNoWorker
		} else {
			s.conns[sl.holder].wait.remove(s.slots, i)
			verdict, open, opened = Overload, !s.cfg.OverloadClosed, &s.led.OpenOverload
		}
	}
	if open {
		*opened++
		verdict = keep
	}
	s.decide(i, verdict)
}

// settleAll drops everything that is still parked.
func (s *Shard) settleAll(why Reason) {
	for side := range s.sending {
		for q := &s.sending[side]; q.head != none; {
			s.discard(s.popSend(q), why)
		}
	}
	for i := s.slots.oldest; i != none; i = s.slots.oldest {
		sl := &s.slots.s[i]
		if sl.phase == waiting {
			if sl.holder == noConn {
				s.unplaced.remove(s.slots, i)
			} else {
				s.conns[sl.holder].wait.remove(s.slots, i)
			}
		}
		// The queues of its flow end with the shard: the slot is freed where it stands.
		s.discard(i, why)
	}
	s.giveBack()
}
