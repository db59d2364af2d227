package console

import (
	"net"
	"net/http"
	"sync"

	"golang.org/x/sys/unix"
)

// connLimit bounds the connections of a server. Beyond it the one that has been idle longest makes room: whoever opens many and says
// nothing locks nobody out, and takes no descriptor that a worker needs.
type connLimit struct {
	most int

	mu   sync.Mutex
	all  map[net.Conn]bool // whether a request of it is being answered
	idle []net.Conn        // of those without one, longest idle first
}

func newConnLimit(most int) *connLimit { return &connLimit{most: most, all: map[net.Conn]bool{}} }

// maxConns is how many connections the console may have of a process that may have so many descriptors: a sixteenth, 64 at most.
func maxConns(descriptors uint64) int { return int(min(max(descriptors/16, 4), 64)) }

// descriptors is how many descriptors this process may have.
func descriptors() uint64 {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 1024
	}
	return r.Cur
}

// state is http.Server.ConnState.
func (l *connLimit) state(c net.Conn, s http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.all[c]; known {
		l.leaveIdle(c)
	}
	switch s {
	case http.StateNew, http.StateIdle:
		l.all[c] = false
		l.idle = append(l.idle, c)
	case http.StateActive:
		l.all[c] = true
	default:
		delete(l.all, c)
	}
	if len(l.all) > l.most {
		victim := c // all others are being answered
		if len(l.idle) > 0 {
			victim = l.idle[0]
		}
		l.leaveIdle(victim)
		delete(l.all, victim)
		_ = victim.Close()
	}
}

func (l *connLimit) leaveIdle(c net.Conn) {
	for i, x := range l.idle {
		if x == c {
			l.idle = append(l.idle[:i], l.idle[i+1:]...)
			return
		}
	}
}
