package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// A gateway in this process, and a function that does what a packet's first byte says. What the function does:
const (
	doPass    = iota
	doDrop    // DropRule
	doHeaders // change byte 5 to 0xaa
	doReplace // become three times 0xbb
	doInject  // send {0xcc, first byte of the MAC} back to where it came from
	doEvent   // raise an event
	doKinds
)

type obedient struct{ seen int64 }

func (*obedient) Needs() nf.Needs { return nf.Needs{Reads: nf.Full, Writes: nf.Full, Injects: true} }
func (o *obedient) Report(r *nf.Report) {
	r.Counters["packets"] = o.seen
}

var replacement = []byte{0xbb, 0xbb, 0xbb}

func (o *obedient) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		o.seen++
		switch p.Data[0] {
		case doDrop:
			b.Drop(i, nf.DropRule)
		case doHeaders:
			p.Data[5] = 0xaa
			b.Change(i, nf.Headers)
		case doReplace:
			b.Replace(i, replacement)
		case doInject:
			b.Inject(i, p.From, []byte{0xcc, byte(i)})
		case doEvent:
			b.Events.Commit(append(b.Events.Room(), `{"event_type":"test"}`...))
		}
	}
}

func init() {
	nf.Register(nf.Type{Name: "test-obedient", Doc: "does what a packet says", New: func(nf.Setup) (nf.NF, error) { return &obedient{}, nil }})
}

// fakeGateway listens, and collects what workers answer on its connections.
type fakeGateway struct {
	t        testing.TB
	listener *relay.Listener
	identity *tlsrecord.Identity
	conns    chan *relay.Conn
	tls      bool
}

func newFakeGateway(t testing.TB, tls bool) *fakeGateway {
	t.Helper()
	id, err := tlsrecord.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	g := &fakeGateway{t: t, identity: id, conns: make(chan *relay.Conn, 16), tls: tls}
	g.listener, err = relay.Listen(relay.Config{
		Address: "127.0.0.1:0", TLS: tls, Identity: id, Joined: func(c *relay.Conn) { g.conns <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.listener.Close() })
	return g
}

func (g *fakeGateway) invocation(conns int) *wire.Invocation {
	stage, err := json.Marshal(nf.Bundle{Chain: "test", Flows: 64, NFs: []nf.BundleNF{{Name: "test-obedient"}}})
	if err != nil {
		g.t.Fatal(err)
	}
	expires := time.Now().Add(10 * time.Second)
	return &wire.Invocation{
		Version: wire.Version, Gateways: []string{g.listener.Addr().String()}, Worker: 7, Epoch: 3,
		Token: g.listener.Expect(7, 3, conns, expires), Expires: expires.UnixNano(),
		TLS: g.tls, GatewayKey: g.identity.Key(), Connections: conns, Stage: stage,
		Heartbeat: wire.Duration(time.Second), Idle: wire.Duration(5 * time.Second),
	}
}

// invoke starts a worker, whose answer comes on the channel.
func (g *fakeGateway) invoke(ctx context.Context, w *worker, inv *wire.Invocation) <-chan answer {
	g.t.Helper()
	payload, err := json.Marshal(inv)
	if err != nil {
		g.t.Fatal(err)
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		var text []byte
		if text, a.err = w.Invoke(ctx, payload); a.err == nil {
			a.err = json.Unmarshal(text, &a.Summary)
		}
		for _, b := range payload {
			if b != 0 {
				g.t.Error("the payload, with the token, is still in memory")
				break
			}
		}
		done <- a
	}()
	return done
}

type answer struct {
	Summary
	err error
}

// joined returns the next connection.
func (g *fakeGateway) joined() *relay.Conn {
	g.t.Helper()
	select {
	case c := <-g.conns:
		g.t.Cleanup(c.Close)
		return c
	case <-time.After(10 * time.Second):
		g.t.Fatal("no worker joined within 10 s")
		return nil
	}
}

func (a answer) want(t *testing.T, r Reason) {
	t.Helper()
	if a.err != nil || a.Reason != r {
		t.Errorf("worker ended with %+v, error %v; want %q", a.Summary, a.err, r)
	}
}

func quietWorker() *worker { return newWorker(slog.New(slog.DiscardHandler)) }

// heard collects what a Handler is told, in the words of a test.
type heard struct {
	verdicts  map[uint64]uint8
	order     []uint64
	rewritten map[uint64]rewrote
	injected  []injected
	events    []string
	reports   []string
	draining  int64
	early     bool // a verdict came before what it needs
}

type rewrote struct {
	what uint8
	data string
}

type injected struct {
	ref  uint64
	side uint8
	data string
}

func newHeard() *heard { return &heard{verdicts: map[uint64]uint8{}, rewritten: map[uint64]rewrote{}} }

func (h *heard) State([]byte, func(int) (uint64, bool)) {}
func (h *heard) Verdicts(refs []uint64, v uint8) {
	for _, r := range refs {
		h.verdicts[r] = v
		h.order = append(h.order, r)
	}
}
func (h *heard) Rewritten(ref uint64, what uint8, data []byte) {
	_, late := h.verdicts[ref]
	h.early = h.early || late
	h.rewritten[ref] = rewrote{what, string(data)}
}
func (h *heard) Inject(ref uint64, side uint8, frame []byte) {
	_, late := h.verdicts[ref]
	h.early = h.early || late
	h.injected = append(h.injected, injected{ref, side, string(frame)})
}
func (h *heard) Events(lines []byte, _ uint32) { h.events = append(h.events, string(lines)) }
func (h *heard) Report(json []byte)            { h.reports = append(h.reports, string(json)) }
func (h *heard) Load(wire.Load)                {}
func (h *heard) Draining(deadline int64)       { h.draining = deadline }

// until drives c as a shard would, one thread under poll, until done says so or the connection has ended.
func until(t testing.TB, c *relay.Conn, h relay.Handler, done func() bool) relay.Status {
	t.Helper()
	limit := time.Now().Add(20 * time.Second)
	s := c.Flush()
	for !done() && (s == relay.OK || s == relay.Again) {
		if time.Now().After(limit) {
			t.Fatal("nothing came of it for 20 s")
		}
		p := []unix.PollFd{{Fd: int32(c.FD()), Events: unix.POLLIN}}
		if c.WantWrite() {
			p[0].Events |= unix.POLLOUT
		}
		if n, err := unix.Poll(p, 100); n <= 0 && err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		if s = c.Write(); s == relay.OK || s == relay.Again {
			s = c.Read(h)
		}
	}
	return s
}
