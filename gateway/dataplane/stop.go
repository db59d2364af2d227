package dataplane

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay"
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

// farewell is how long workers have, when nothing is left to be judged, to say what their flows' end brings to light.
const farewell = 500 * time.Millisecond

// dismiss has the workers leave, and reads the last events that they raise: data that waited for an acknowledgement, or for more of it, is
// inspected where flows end. A worker that does not answer is not waited for longer than farewell.
func (s *Shard) dismiss() {
	var leaving []uint16
	for i := range s.conns.all {
		if c := &s.conns.all[i]; c.used && c.link.Retire() {
			leaving = append(leaving, uint16(i))
		}
	}
	for end := time.Now().Add(farewell); len(leaving) > 0 && time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		leaving = slices.DeleteFunc(leaving, func(id uint16) bool {
			s.conns.reading = id
			l := s.conns.all[id].link
			return l.Flush() >= relay.Closed || l.Read(s) >= relay.Closed
		})
	}
	s.conns.reading = noConn
}

func (s *Shard) close() {
	s.dismiss()
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
	s.readPorts()
	s.publish()
}
