package dataplane

import (
	"runtime"
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay"
	"golang.org/x/sys/unix"
)

// due is when things are done that are not done in every turn, by the shard's clock.
type due struct {
	beat    int64
	report  int64
	overdue int64 // when to look for what is late
	publish int64
}

// Run moves packets until Stop, or until both ports are done and nothing is in flight. It locks its thread.
func (s *Shard) Run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer s.close()
	poll := busyPoll{spin: s.cfg.Spin.Nanoseconds()}
	idle := 0
	for {
		worked, more := s.turn(idle > s.cfg.IdleRounds && !poll.again(s.clock.now))
		if worked {
			poll.worked(s.clock.now, s.slots.parked() > 0, idle)
			idle = 0
		} else {
			idle++
		}
		if !more {
			return
		}
	}
}

// turn is one round over everything the shard owns. With sleep it waits for something to happen first.
func (s *Shard) turn(sleep bool) (worked, more bool) {
	events := s.await(sleep)
	s.clock.read()
	s.noticeGap()
	s.mail.read(s)
	s.adoptWanted()
	n := s.readConnections(events)
	if s.handOff() {
		n++
	}
	full := false
	n += s.receiveSteered()
	if !s.end.stopping {
		got := 0
		for side := range s.ports.port {
			one := s.receive(ingress.Side(side))
			got += one
			full = full || one == s.cfg.Burst
		}
		n += got
		s.gap.open = s.gap.open && (got > 0 || len(s.slots.free) == 0)
	}
	s.flush(full)
	now := s.clock.now
	if now >= s.due.overdue {
		s.resolveOverdue()
		s.due.overdue = now + int64(time.Millisecond)
	}
	pending := s.transmit(ingress.Inside)
	pending = s.transmit(ingress.Outside) || pending
	s.steering.receiveReturned(&s.ports)
	s.ports.release()
	if now >= s.due.beat {
		s.beat()
	}
	more = !s.finished(pending)
	if n == 0 || !more || now > s.due.publish {
		s.publish()
	}
	return n > 0 || pending, more
}

// await polls the descriptors: without waiting while packets flow, and otherwise until one is ready.
func (s *Shard) await(sleep bool) []unix.EpollEvent {
	ms := 0
	if sleep {
		s.asleep.Store(true)
		if !s.mail.full.Load() && !s.steering.waiting() {
			ms = 5 // late packets are looked for, and the turn counter moves, even when nothing happens
		}
	}
	ev := s.poller.wait(ms)
	if sleep {
		s.asleep.Store(false)
	}
	return ev
}

// readConnections reads from the connections that are ready.
func (s *Shard) readConnections(events []unix.EpollEvent) (handled int) {
	for i := range events {
		ev := &events[i]
		switch {
		case ev.Fd >= 0:
			c := &s.conns.all[ev.Fd]
			if !c.used {
				continue
			}
			handled++
			id := uint16(ev.Fd)
			s.conns.reading = id
			c.link.Tick(s.clock.now)
			if ev.Events&unix.EPOLLOUT != 0 && !s.push(c, id) || c.link.Read(s) >= relay.Closed {
				s.lose(id, "")
				continue
			}
			if c.violation != "" {
				s.lose(id, c.violation)
				continue
			}
			s.shipWaiting(c, id)
		case ev.Fd == eventMailbox:
			s.mail.quiet()
		default:
			handled++ // a port: the receive that follows looks at its ring
		}
	}
	s.conns.reading = noConn
	return handled
}
