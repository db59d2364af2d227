package dataplane

// A packet that kills the worker that reads it must not be sent to the next one for ever, and those that were with it must not
// be taken for it. So a slot counts the workers of its stage that were lost while they had it:
//
//	0   it is shipped with whatever is at hand
//	1   it is shipped with few others that have met one death, and with nothing else: most workers die by themselves, and
//	    hundreds of packets one at a time would be hundreds of round trips
//	2+  it is shipped alone: if that worker dies too, nothing else can have been the cause
//
// One that has met --max-deaths is settled as poison by the policy for failed workers. With the default of 3, a packet that kills
// whatever reads it costs three workers, and the packets beside it are answered.

// suspects is how many packets that have met one death are at a worker together.
const suspects = 32

// mayJoin reports whether a packet that has met so many deaths may be sent to c now.
func (c *conn) mayJoin(deaths uint8, limit int) bool {
	if c.inflight == 0 || deaths|c.deaths == 0 {
		return true
	}
	return deaths == c.deaths && deaths == 1 && limit > 2 && c.inflight < suspects
}

// orphan makes slot i, whose worker is gone and had it, wait for a successor. died: the worker may be gone because of it.
func (s *Shard) orphan(i uint32, died bool) {
	sl := &s.slots.s[i]
	if died {
		sl.deaths++
	}
	if int(sl.deaths) < s.cfg.MaxDeaths {
		s.led.Replayed++
		s.wait(&s.unplaced, i, noConn)
		return
	}
	verdict := Poison
	if !s.cfg.FailureClosed {
		s.led.OpenPoison++
		verdict = keep
	}
	s.decide(i, verdict)
}
