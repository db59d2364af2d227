package relay

import (
	"net"
	"sync/atomic"
	"time"
)

// halfOpenConn is a connection of a peer that has not joined yet, and is untrusted until it has.
type halfOpenConn struct {
	net.Conn
	left    int         // bytes that it may still say
	spoke   atomic.Bool // it has said something
	evicted atomic.Bool // another one has its place
}

// Read fails when the peer has sent more than it may before it has joined.
func (s *halfOpenConn) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, errTooMuch
	}
	n, err := s.Conn.Read(b[:min(len(b), s.left)])
	s.left -= n
	if n > 0 {
		s.spoke.Store(true)
	}
	return n, err
}

// enter gives a new connection one of the places, and if none is free, that of the one that has been silent longest, or else has been
// there longest: whoever dials and says nothing must not keep workers out. Not ok is that the Listener is closed.
func (l *Listener) enter(c net.Conn) (s *halfOpenConn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, false
	}
	if len(l.halfOpen) >= l.cfg.HalfOpen {
		out := 0
		for i, other := range l.halfOpen {
			if !other.spoke.Load() {
				out = i
				break
			}
		}
		old := l.halfOpen[out]
		l.halfOpen = append(l.halfOpen[:out], l.halfOpen[out+1:]...)
		old.evicted.Store(true)
		old.hurry()
	}
	s = &halfOpenConn{Conn: c, left: l.cfg.MaxBytes}
	_ = s.SetDeadline(time.Now().Add(l.cfg.Timeout))
	l.halfOpen = append(l.halfOpen, s)
	return s, true
}

func (l *Listener) leave(s *halfOpenConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.halfOpen {
		if other == s {
			l.halfOpen = append(l.halfOpen[:i], l.halfOpen[i+1:]...)
			return
		}
	}
}

// hurry ends what its goroutine waits for.
func (s *halfOpenConn) hurry() { _ = s.SetDeadline(time.Unix(1, 0)) }
