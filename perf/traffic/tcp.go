package traffic

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// TCP moves bytes over connections that From opens to To.
type TCP struct {
	From, To Host
	Address  string          // of To
	Port     int             // of To (0: any)
	Window   int             // receive buffer in bytes, which bounds what is in flight; 0: as the kernel grows it
	Flows    int             // connections at once (1)
	Bytes    int64           // a flow; 0: until Duration is over
	Duration time.Duration   // of sending, where Bytes is 0 (1 s)
	Until    <-chan struct{} // where given, sending goes on, past Bytes or Duration, until it is closed
	Download bool            // To sends and From receives
	Unhashed bool            // count only: hashing takes most of a core at 10 Gbit/s
	Timeout  time.Duration   // the end, whatever happens (Duration + 30 s)
	Meter    *Meter
}

// TCPResult is what a run of TCP came to.
type TCPResult struct {
	Flows   []TCPFlow
	Elapsed time.Duration // from the first connection's start to the last byte
}

// TCPFlow is one connection. Hashes are zero where the run was Unhashed.
type TCPFlow struct {
	Sent, Received         int64
	SentHash, ReceivedHash [sha256.Size]byte
}

// Intact reports whether every flow's bytes arrived, all of them and as they were sent.
func (r *TCPResult) Intact() bool {
	for _, f := range r.Flows {
		if f.Sent != f.Received || f.SentHash != f.ReceivedHash {
			return false
		}
	}
	return len(r.Flows) > 0
}

// Sent and Received are bytes of all flows.
func (r *TCPResult) Sent() (n int64) {
	for _, f := range r.Flows {
		n += f.Sent
	}
	return n
}

// Received returns the bytes that arrived.
func (r *TCPResult) Received() (n int64) {
	for _, f := range r.Flows {
		n += f.Received
	}
	return n
}

// BitsPerSecond is the rate at which bytes arrived.
func (r *TCPResult) BitsPerSecond() float64 {
	return float64(r.Received()) * 8 / max(r.Elapsed.Seconds(), 1e-9)
}

// Run moves the bytes. An error says which flow broke; the result then holds what went through.
func (t TCP) Run(ctx context.Context) (TCPResult, error) {
	if t.Flows == 0 {
		t.Flows = 1
	}
	if t.Duration == 0 {
		t.Duration = time.Second
	}
	if t.Timeout == 0 {
		t.Timeout = t.Duration + 30*time.Second
	}
	t.Meter = meter(t.Meter)
	ctx, cancel := context.WithTimeoutCause(ctx, t.Timeout, errTimeout)
	defer cancel()

	var l net.Listener
	if err := t.To.Do(func() (err error) {
		lc := net.ListenConfig{Control: t.window}
		l, err = lc.Listen(ctx, "tcp4", net.JoinHostPort(t.Address, strconv.Itoa(t.Port)))
		return err
	}); err != nil {
		return TCPResult{}, fmt.Errorf("listen on %s: %w", t.Address, err)
	}
	defer l.Close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r := TCPResult{Flows: make([]TCPFlow, t.Flows)}
	began := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	end := func(flow int, what string, err error) {
		if err != nil {
			mu.Lock()
			errs = append(errs, fmt.Errorf("TCP flow %d: %s: %w", flow, what, why(ctx, err)))
			mu.Unlock()
			fail(err) // the other end need not wait for its timeout
		}
	}
	wg.Go(func() { t.accept(ctx, l, &r, &wg, end) })
	for i := range t.Flows {
		wg.Go(func() {
			c, err := t.dial(ctx, l.Addr().String(), i)
			if err != nil {
				end(i, "connect to "+l.Addr().String(), err)
				return
			}
			defer c.Close()
			what, err := t.serve(ctx, c, i, &r.Flows[i], t.Download)
			end(i, what, err)
		})
	}
	wg.Wait()
	r.Elapsed = time.Since(began)
	return r, errors.Join(errs...)
}

func (t *TCP) dial(ctx context.Context, address string, flow int) (c net.Conn, err error) {
	d := net.Dialer{Control: t.window}
	if err = t.From.Do(func() (err error) { c, err = d.DialContext(ctx, "tcp4", address); return err }); err != nil {
		return nil, err
	}
	if _, err = c.Write(binary.LittleEndian.AppendUint32(nil, uint32(flow))); err != nil { // which flow this is
		c.Close()
		return nil, err
	}
	return c, nil
}

// window sets the receive buffer of a socket before it speaks: the scale of TCP's window is settled in the handshake.
func (t *TCP) window(_, _ string, c syscall.RawConn) (err error) {
	if t.Window == 0 {
		return nil
	}
	if cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, t.Window) }); cerr != nil {
		return cerr
	}
	return err
}

// accept takes as many connections as there are flows.
func (t *TCP) accept(ctx context.Context, l net.Listener, r *TCPResult, wg *sync.WaitGroup, end func(int, string, error)) {
	defer interrupt(ctx, l.(*net.TCPListener))()
	for n := range t.Flows {
		c, err := l.Accept()
		if err != nil {
			end(n, "accept", err)
			return
		}
		wg.Go(func() {
			defer c.Close()
			stop := interrupt(ctx, c)
			var name [4]byte
			_, err := io.ReadFull(c, name[:])
			stop()
			flow := int(binary.LittleEndian.Uint32(name[:]))
			if err != nil || flow >= len(r.Flows) {
				end(n, "read which flow it is", errors.Join(err, io.ErrUnexpectedEOF))
				return
			}
			what, err := t.serve(ctx, c, flow, &r.Flows[flow], !t.Download)
			end(flow, what, err)
		})
	}
}

// serve is one end of a flow.
func (t *TCP) serve(ctx context.Context, c net.Conn, flow int, f *TCPFlow, receives bool) (what string, err error) {
	defer interrupt(ctx, c)()
	h := sha256.New()
	if receives {
		f.Received, err = t.receive(c, h)
		h.Sum(f.ReceivedHash[:0])
		what = fmt.Sprintf("receive, after %d bytes", f.Received)
	} else {
		f.Sent, err = t.send(c, h, flow)
		h.Sum(f.SentHash[:0])
		what = fmt.Sprintf("send, after %d bytes", f.Sent)
	}
	return what, err
}

func (t *TCP) send(c net.Conn, h hash.Hash, flow int) (n int64, err error) {
	s := newStream(flow)
	for began := time.Now(); ; {
		size := int64(chunkSize)
		switch {
		case n < t.Bytes:
			size = t.Bytes - n
		case t.Bytes == 0 && time.Since(began) < t.Duration, open(t.Until):
		default:
			return n, c.(*net.TCPConn).CloseWrite()
		}
		b := s.next(size)
		if !t.Unhashed {
			h.Write(b)
		}
		w, err := c.Write(b)
		n += int64(w)
		t.Meter.Sent.Add(uint64(w))
		if err != nil {
			return n, err
		}
	}
}

func (t *TCP) receive(c net.Conn, h hash.Hash) (n int64, err error) {
	b := make([]byte, 4*chunkSize)
	for {
		r, err := c.Read(b)
		if !t.Unhashed {
			h.Write(b[:r])
		}
		n += int64(r)
		t.Meter.Received.Add(uint64(r))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
