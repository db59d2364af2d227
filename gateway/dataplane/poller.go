package dataplane

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is the shard's epoll set: its ports, its connections, its mailbox.
type poller struct {
	fd     int
	events [64]unix.EpollEvent
}

// What a ready event is about; connections are their index.
const (
	eventInside = -1 - iota
	eventOutside
	eventMailbox
)

func newPoller() (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return poller{}, fmt.Errorf("epoll: %w", err)
	}
	return poller{fd: fd}, nil
}

func (p *poller) add(fd int, what int32) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: what}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll: add descriptor %d: %w", fd, err)
	}
	return nil
}

// writes asks for writability too, or no more.
func (p *poller) writes(fd int, what int32, on bool) {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: what}
	if on {
		ev.Events |= unix.EPOLLOUT
	}
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &ev) // fails only for a descriptor that is not in the set
}

func (p *poller) remove(fd int) { _ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// wait returns what is ready within ms milliseconds; interrupted waits count as empty.
//
// The system call is raw: the scheduler is not told, so the shard keeps its P while it sleeps, and waking up is not followed
// by finding one and by waking the runtime's monitor. That is a fifth of a round trip at light load. Whoever has to stop the
// world interrupts the wait by the signal that asks for it; other goroutines have Ps of their own (see newShards).
func (p *poller) wait(ms int) []unix.EpollEvent {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(ms), 0, 0)
	if errno != 0 {
		return nil
	}
	return p.events[:n]
}
