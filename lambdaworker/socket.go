package main

import (
	"fmt"
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a connection as a link uses it: reads and writes that wait in the kernel, for at most ioTimeout.
//
// The system calls are raw: Go's scheduler is not told, so the link keeps its P while it waits, and a packet is not met by a
// poller that has to find a goroutine, which has to find a thread. Whoever has to stop the world interrupts the wait by the
// signal that asks for it, and other goroutines have a P that no link holds (see worker.run).
type socket struct {
	file *os.File // owns fd
	fd   uintptr
}

// newSocket takes c over.
func newSocket(c net.Conn) (*socket, error) {
	defer c.Close()
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("a connection to a gateway is TCP, not %T", c)
	}
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	s := &socket{file: file, fd: file.Fd()} // which makes it blocking
	limit := unix.NsecToTimeval(ioTimeout.Nanoseconds())
	for _, option := range [...]int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(int(s.fd), unix.SOL_SOCKET, option, &limit); err != nil {
			_ = file.Close()
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	return s, nil
}

// read waits for bytes, for at most ioTimeout: that is EAGAIN, or EINTR. 0 bytes and no error are the end.
func (s *socket) read(b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, s.fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// write waits for room, for at most ioTimeout, and may take a part only.
func (s *socket) write(b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, s.fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (s *socket) close() { _ = s.file.Close() }

// transient reports that nothing has happened, rather than something bad.
func transient(errno unix.Errno) bool { return errno == unix.EAGAIN || errno == unix.EINTR }

// ioTimeout is how long a link waits before it looks up: for a deadline, for a gateway that has been silent too long.
const ioTimeout = 50 * time.Millisecond
