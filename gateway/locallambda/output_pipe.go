package locallambda

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// outputPipe carries a process's stdout and stderr to its log.
//
// Reading happens under one lock and without blocking, so that drain can promise: what the process had printed when drain
// began is in the log when it returns. A response posted right after a print would otherwise race its own log line.
type outputPipe struct {
	child *os.File // write end, for the process
	read  *os.File
	raw   syscall.RawConn
	log   *logTail

	mu     sync.Mutex
	buffer [8192]byte
	done   chan struct{}
}

func newOutputPipe(log *logTail) (*outputPipe, error) {
	read, child, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for the function's output: %w", err)
	}
	raw, err := read.SyscallConn()
	if err != nil {
		_ = read.Close()
		_ = child.Close()
		return nil, fmt.Errorf("pipe for the function's output: %w", err)
	}
	p := &outputPipe{child: child, read: read, raw: raw, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		// Ends at end of file, or when close ends the wait.
		_ = raw.Read(func(fd uintptr) bool { return p.take(int(fd)) })
	}()
	return p, nil
}

// take logs all that can be read now and reports whether the pipe has ended.
func (p *outputPipe) take(fd int) (ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		n, err := unix.Read(fd, p.buffer[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil || n == 0:
			return true
		default:
			_, _ = p.log.Write(p.buffer[:n])
		}
	}
}

func (p *outputPipe) drain() {
	_ = p.raw.Control(func(fd uintptr) { p.take(int(fd)) })
}

func (p *outputPipe) closeChildEnd() { _ = p.child.Close() }

// close gives both ends back and waits for the reader. Closing an end twice does nothing.
func (p *outputPipe) close() {
	_ = p.child.Close()
	_ = p.read.Close()
	<-p.done
}
