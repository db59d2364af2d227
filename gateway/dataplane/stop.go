package dataplane

import (
	"time"

	"golang.org/x/sys/unix"
)

// end is how far a shard is on its way out.
type end struct {
	stopping bool  // nothing is received any more
	by       int64 // when what is still in flight is dropped
	over     bool  // Run has returned
}

// Stop ends Run: nothing more is received, and what is in flight has until grace to come back.
func (s *Shard) Stop(grace time.Duration) {
	s.mail.post(func(s *Shard) {
		s.end.stopping = true
		s.end.by = s.clock.now + grace.Nanoseconds()
	})
}

// finished reports that nothing is left to do; pending is whether a port still has frames to send.
func (s *Shard) finished(pending bool) bool {
	if s.end.stopping {
		if s.slots.parked() == 0 && !pending && !s.steering.waiting() {
			return true
		}
		if s.clock.now > s.end.by {
			s.discardAll(Shutdown)
			return true
		}
		return false
	}
	return s.ports.done() && s.slots.parked() == 0 && !s.steering.waiting()
}

func (s *Shard) close() {
	s.end.over = true
	s.closed.Store(true)
	s.discardSteered(Shutdown)
	for _, f := range s.mail.close() {
		f(s)
	}
	for i := range s.conns.all {
		if c := &s.conns.all[i]; c.used {
			s.poller.remove(c.link.FD())
			c.link.Close()
			*c = conn{}
		}
	}
	unix.Close(s.poller.fd)
	s.ports.stats(&s.led.Wire)
	s.publish()
}
