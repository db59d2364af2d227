package traffic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Echo sends a datagram there and back, one at a time, at a rate. Both ends sit in blocking system calls on threads of
// their own, so that the network is what is measured and not a scheduler.
type Echo struct {
	From, To Host
	Address  string        // of To
	Size     int           // payload in bytes, 16 or more (56, as ping's)
	Rate     float64       // a second (100)
	Count    int           // 0: until Duration is over
	Duration time.Duration // where Count is 0 (1 s)
	Timeout  time.Duration // after which one counts as lost (1 s)
}

// EchoResult is what a run of Echo came to.
type EchoResult struct {
	Sent, Lost uint64
	RoundTrip  Latency
}

const echoGlance = 50 * time.Millisecond // how long the far end sits in a call before it looks whether it is over

// Run sends and answers.
func (e Echo) Run(ctx context.Context) (r EchoResult, err error) {
	if e.Size < 16 {
		e.Size = 56
	}
	if e.Rate == 0 {
		e.Rate = 100
	}
	if e.Duration == 0 {
		e.Duration = time.Second
	}
	if e.Timeout == 0 {
		e.Timeout = time.Second
	}
	far, at, err := echoSocket(e.To, e.Address, nil)
	if err != nil {
		return r, fmt.Errorf("echo: listen on %s: %w", e.Address, err)
	}
	defer unix.Close(far)
	near, _, err := echoSocket(e.From, "0.0.0.0", at)
	if err != nil {
		return r, fmt.Errorf("echo: open a socket to %s: %w", e.Address, err)
	}
	defer unix.Close(near)
	ctx, done := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer done()
	var answered error
	wg.Go(func() { answered = answer(ctx, far) })
	err = e.ask(ctx, near, &r)
	done()
	wg.Wait()
	return r, errors.Join(err, answered)
}

// echoSocket binds a blocking UDP socket, or connects one where to is set.
func echoSocket(h Host, address string, to unix.Sockaddr) (fd int, at unix.Sockaddr, err error) {
	ip := net.ParseIP(address).To4()
	if ip == nil {
		return -1, nil, fmt.Errorf("%q: expected an IPv4 address", address)
	}
	err = h.Do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				unix.Close(fd)
			}
		}()
		tv := unix.NsecToTimeval(int64(echoGlance))
		if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return err
		}
		if to != nil {
			return unix.Connect(fd, to)
		}
		if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.AddrFrom4([4]byte(ip)).As4()}); err != nil {
			return err
		}
		at, err = unix.Getsockname(fd)
		return err
	})
	return fd, at, err
}

// answer sends back what comes until ctx ends.
func answer(ctx context.Context, fd int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := make([]byte, 65536)
	for ctx.Err() == nil {
		n, from, err := unix.Recvfrom(fd, b, 0)
		switch {
		case err == nil:
			_ = unix.Sendto(fd, b[:n], 0, from) // one that is not sent counts as lost at the other end
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		default:
			return fmt.Errorf("echo: receive: %w", err)
		}
	}
	return nil
}

func (e *Echo) ask(ctx context.Context, fd int, r *EchoResult) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := make([]byte, e.Size)
	in := make([]byte, 65536)
	p := pace{rate: e.Rate, began: time.Now()}
	for (e.Count > 0 && r.Sent < uint64(e.Count)) || (e.Count == 0 && time.Since(p.began) < e.Duration) {
		if p.due(ctx, 1) == 0 {
			return ctx.Err()
		}
		r.Sent++
		binary.LittleEndian.PutUint64(b, r.Sent)
		began := time.Now()
		if _, err := unix.Write(fd, b); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
			return fmt.Errorf("echo: send: %w", err)
		}
		lost := true
		for lost && time.Since(began) < e.Timeout && ctx.Err() == nil {
			n, err := unix.Read(fd, in)
			switch {
			case err == nil && n == e.Size && binary.LittleEndian.Uint64(in) == r.Sent:
				r.RoundTrip.Add(time.Since(began))
				lost = false
			case err == nil: // an answer that had been given up
			case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNREFUSED):
			default:
				return fmt.Errorf("echo: receive: %w", err)
			}
		}
		if lost {
			r.Lost++
		}
	}
	return nil
}
