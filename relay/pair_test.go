package relay

import (
	"crypto/rand"
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// peer is the worker's end of a Conn on a socket pair: what comes out of it is read, what goes into it is made by the test.
type peer struct {
	t  testing.TB
	fd int
	in *tlsrecord.Inbox
}

// connPair returns a Conn without TLS and its other end.
func connPair(t testing.TB, window int, credit uint32) (*Conn, *peer) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(fds[0], tlsrecord.Plain(), ID{Worker: 1, Epoch: 2, Shard: 3}, window, credit)
	p := &peer{t: t, fd: fds[1], in: tlsrecord.NewInbox(tlsrecord.Plain().Open, wire.MaxFrame, 0)}
	t.Cleanup(func() { c.Close(); p.close() })
	return c, p
}

func (p *peer) close() {
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
		p.fd = -1
	}
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if n, err := unix.Write(p.fd, b); err != nil || n != len(b) {
		p.t.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
	}
}

// fill reads what there is, and reports whether there was anything.
func (p *peer) fill() bool {
	n, err := unix.Read(p.fd, p.in.Space())
	if err == unix.EAGAIN {
		return false
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.in.Filled(n)
	return n > 0
}

// next returns the next frame, if one is there.
func (p *peer) next() (h wire.Header, body []byte, ok bool) {
	for {
		if b := p.in.Bytes(); len(b) >= wire.HeaderSize {
			h, fault := wire.ParseHeader(b)
			if fault != wire.FaultNone {
				p.t.Fatal(fault)
			}
			if size := wire.HeaderSize + int(h.Length); len(b) >= size {
				p.in.Consume(size)
				return h, b[wire.HeaderSize:size], true
			}
		}
		if !p.fill() {
			return h, nil, false
		}
	}
}

// pass answers a batch: all its packets pass.
func pass(dst []byte, sequence uint32, packets int, credit uint32) []byte {
	var w wire.ResultWriter
	w.Begin(dst, sequence, credit)
	for range packets {
		w.Verdict(0)
	}
	dst, _ = w.End()
	return dst
}

// collector is a Handler that notes what it is told.
type collector struct {
	c        *Conn
	told     []string // the calls, by their first letter, and refs of verdicts
	refs     []uint64
	verdicts []uint8
	asked    []uint64 // the first packet of each batch whose state came
	data     []string
	closes   bool // the connection, at the first rewritten packet
	number   int64
}

func (k *collector) State(d []byte, ref func(i int) (uint64, bool)) {
	if r, ok := ref(0); ok {
		k.asked = append(k.asked, r)
	}
	k.told, k.data = append(k.told, "state"), append(k.data, string(d))
}
func (k *collector) Verdicts(refs []uint64, v uint8) {
	k.told = append(k.told, "verdicts")
	k.refs = append(k.refs, refs...)
	for range refs {
		k.verdicts = append(k.verdicts, v)
	}
}
func (k *collector) Rewritten(ref uint64, what uint8, d []byte) {
	k.told, k.data = append(k.told, "rewritten"), append(k.data, string(d))
	k.number = int64(ref)<<8 | int64(what)
	if k.closes {
		k.c.Close()
	}
}
func (k *collector) Inject(ref uint64, side uint8, d []byte) {
	k.told, k.data = append(k.told, "inject"), append(k.data, string(d))
	k.number = int64(ref)<<8 | int64(side)
}
func (k *collector) Events(d []byte, lost uint32) {
	k.told, k.data, k.number = append(k.told, "events"), append(k.data, string(d)), int64(lost)
}
func (k *collector) Report(d []byte) {
	k.told, k.data = append(k.told, "report"), append(k.data, string(d))
}
func (k *collector) Load(wire.Load)    {}
func (k *counter) Load(wire.Load)      {}
func (k *collector) Draining(at int64) { k.told, k.number = append(k.told, "draining"), at }

// counter is a Handler that costs nothing.
type counter struct{ verdicts int }

func (k *counter) State([]byte, func(int) (uint64, bool)) {}
func (k *counter) Verdicts(refs []uint64, _ uint8)        { k.verdicts += len(refs) }
func (k *counter) Rewritten(uint64, uint8, []byte)        {}
func (k *counter) Inject(uint64, uint8, []byte)           {}
func (k *counter) Events([]byte, uint32)                  {}
func (k *counter) Report([]byte)                          {}
func (k *counter) Draining(int64)                         {}

func outstandingOf(c *Conn) (refs []uint64) {
	c.Outstanding(func(r uint64) { refs = append(refs, r) })
	return refs
}

// inFlight returns how many packets, and bytes of frames, were added and are not answered.
func inFlight(c *Conn) (packets, bytes int) {
	return int(c.owed.tail - c.owed.head), c.owed.bytes + c.builder.Size()
}

// oldestUnanswered returns the time of the oldest packet without a verdict; 0 if there is none.
func oldestUnanswered(c *Conn) int64 {
	if b := c.owed.oldest(); b != nil {
		return b.oldest
	}
	_, oldest := batched(c)
	return oldest
}

// tlsPair returns both ends' sessions of one handshake in memory.
func tlsPair(t testing.TB) (gateway, worker *tlsrecord.Session) {
	t.Helper()
	id, err := tlsrecord.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	a, b := tcpPair(t)
	done := make(chan error, 1)
	go func() {
		var err error
		worker, err = tlsrecord.Client(t.Context(), b, id.Key(), wire.ALPN)
		done <- err
	}()
	gateway, err = tlsrecord.Server(t.Context(), a, id, wire.ALPN)
	if werr := <-done; err != nil || werr != nil {
		t.Fatal(err, werr)
	}
	return gateway, worker
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

const noLimit = math.MaxInt32

// batched returns how many packets wait in the batch that is not sealed yet, and the time of the oldest; 0 if there is none.
func batched(c *Conn) (packets int, oldest int64) {
	if n := c.builder.Len(); n > 0 {
		return n, c.first
	}
	return 0, 0
}
