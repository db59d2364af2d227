package relay

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socketBuffer is what sockets are given for each direction. Smaller ones cost wireguard-go 2742 retransmits a run where
// 7 MB had none.
const socketBuffer = 4 << 20

// listenControl sets up the listening socket; connections inherit the sizes, and have them before the window scale is agreed.
func listenControl(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { setBuffers(int(fd)) })
}

// setBuffers sizes the buffers. Without the right to exceed the system's limit it leaves them alone when the limit is
// lower: a size set by hand turns the kernel's own growing off, which would go higher.
func setBuffers(fd int) {
	for _, o := range []struct {
		force, plain int
		limit        string
	}{
		{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, "rmem_max"},
		{unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, "wmem_max"},
	} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.force, socketBuffer) != nil && systemLimit(o.limit) >= socketBuffer {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.plain, socketBuffer)
		}
	}
}

// detach takes the socket of c away from the Go runtime, which neither polls it nor closes it any more, and returns it.
// It stays non-blocking. There is no os.File: one that nothing references is closed by its finalizer.
func detach(c *net.TCPConn, keepalive, userTimeout time.Duration) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	var failed error
	err = raw.Control(func(s uintptr) {
		if failed = setKeepalive(int(s), keepalive, userTimeout); failed != nil {
			return
		}
		fd, failed = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return -1, fmt.Errorf("taking over the socket of %s: %w", c.RemoteAddr(), err)
	}
	if err = c.Close(); err != nil { // takes it out of the runtime's poller; the connection lives on in fd
		_ = unix.Close(fd)
		return -1, fmt.Errorf("taking over the socket of %s: %w", c.RemoteAddr(), err)
	}
	return fd, nil
}

func setKeepalive(fd int, idle, userTimeout time.Duration) error {
	seconds := max(int(idle/time.Second), 1)
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, // batches are as large as they get
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(seconds/3, 1)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout / time.Millisecond)},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}
