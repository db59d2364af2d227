package dataplane

import (
	"fmt"

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
func (p *poller) wait(ms int) []unix.EpollEvent {
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if err != nil {
		return nil
	}
	return p.events[:n]
}
