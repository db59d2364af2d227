package dataplane

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// mailbox is how other goroutines ask a shard for something. Posting locks; the shard looks at one atomic a turn and
// takes the lock only when there is mail, which is when a worker comes or goes.
type mailbox struct {
	fd   int
	full atomic.Bool
	mu   sync.Mutex
	mail []func(*Shard)
	shut bool // the shard has ended
}

func newMailbox() (*mailbox, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &mailbox{fd: fd}, nil
}

// post reports false when the shard has ended: f will not run.
func (m *mailbox) post(f func(*Shard)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shut {
		return false
	}
	m.mail = append(m.mail, f)
	m.full.Store(true)
	m.wake()
	return true
}

// close returns what was posted and not read; nothing is taken any more.
func (m *mailbox) close() []func(*Shard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shut = true
	mail := m.mail
	m.mail = nil
	return mail
}

// wake ends the shard's sleep.
func (m *mailbox) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(m.fd, one[:]) // EAGAIN: it is awake already
}

// read runs what was posted, on the shard's thread.
func (m *mailbox) read(s *Shard) {
	if !m.full.Load() {
		return
	}
	m.mu.Lock()
	mail := m.mail
	m.mail = nil
	m.full.Store(false)
	m.mu.Unlock()
	for _, f := range mail {
		f(s)
	}
}

// quiet empties the event counter, so that the descriptor is no longer readable.
func (m *mailbox) quiet() {
	var buf [8]byte
	_, _ = unix.Read(m.fd, buf[:])
}
