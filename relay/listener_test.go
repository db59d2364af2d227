package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// tcpPair returns both ends of a loopback connection.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

// door is a Listener under test.
type door struct {
	t testing.TB
	*Listener
	id    *tlsrecord.Identity
	conns chan *Conn
	mu    sync.Mutex
	clock time.Time
}

func newDoor(t testing.TB, tls bool, change func(*Config)) *door {
	t.Helper()
	id, err := tlsrecord.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, id: id, conns: make(chan *Conn, 100), clock: time.Now()}
	cfg := Config{Address: "127.0.0.1:0", TLS: tls, Identity: id, Joined: func(c *Conn) { d.conns <- c }, Now: func() time.Time {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.clock
	}}
	if change != nil {
		change(&cfg)
	}
	if d.Listener, err = Listen(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Close()
		for len(d.conns) > 0 {
			(<-d.conns).Close()
		}
	})
	return d
}

func (d *door) advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(by)
}

func (d *door) dial() net.Conn {
	d.t.Helper()
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	d.t.Cleanup(func() { _ = c.Close() })
	return c
}

// joiner is a worker's side of a join, honest unless told otherwise.
type joiner struct {
	d      *door
	c      net.Conn
	s      *tlsrecord.Session
	nonce  [wire.NonceSize]byte
	secure bool
	in     *tlsrecord.Inbox
}

func (d *door) joiner(secure bool) *joiner {
	d.t.Helper()
	j := &joiner{d: d, c: d.dial(), s: tlsrecord.Plain(), secure: secure}
	if secure {
		var err error
		if j.s, err = tlsrecord.Client(context.Background(), j.c, d.id.Key(), wire.ALPN); err != nil {
			d.t.Fatal(err)
		}
	}
	j.in = tlsrecord.NewInbox(j.s.Open, 1000, 0)
	if !secure {
		h, body := j.frame()
		if h.Type != wire.TypeChallenge {
			d.t.Fatalf("got %v instead of a challenge", h.Type)
		}
		copy(j.nonce[:], body)
	}
	return j
}

// frame reads the next frame; type 0 where the connection ends before one.
func (j *joiner) frame() (wire.Header, []byte) {
	j.d.t.Helper()
	for {
		if b := j.in.Bytes(); len(b) >= wire.HeaderSize {
			h, fault := wire.ParseHeader(b)
			if fault != wire.FaultNone {
				j.d.t.Fatal(fault)
			}
			if size := wire.HeaderSize + int(h.Length); len(b) >= size {
				j.in.Consume(size)
				return h, b[wire.HeaderSize:size]
			}
		}
		n, err := j.c.Read(j.in.Space())
		if err != nil {
			return wire.Header{}, nil
		}
		j.in.Filled(n)
	}
}

func (j *joiner) hello(token []byte, worker, epoch uint32, shard uint16) *wire.Hello {
	who := wire.JoinContext(worker, epoch, shard)
	binding := wire.PlainBinding(&j.nonce, who)
	if j.secure {
		var err error
		if binding, err = j.s.Export(wire.ExporterLabel, who, wire.ProofSize); err != nil {
			j.d.t.Fatal(err)
		}
	}
	return &wire.Hello{Version: wire.Version, Shard: shard, Worker: worker, Epoch: epoch, Credit: 1 << 20, Proof: wire.Proof(token, binding)}
}

func (j *joiner) send(frames []byte) wire.Type {
	if _, err := j.c.Write(j.s.Seal.Append(nil, frames)); err != nil {
		j.d.t.Fatal(err)
	}
	h, _ := j.frame()
	return h.Type
}

// join does all of it and returns the type of the answer.
func (d *door) join(secure bool, token []byte, worker, epoch uint32, shard uint16) wire.Type {
	d.t.Helper()
	j := d.joiner(secure)
	return j.send(j.hello(token, worker, epoch, shard).Append(nil))
}

// refused waits until the counter of why has reached n, and checks that no other has moved.
func (d *door) refused(why Refusal, n uint64) {
	d.t.Helper()
	for limit := time.Now().Add(20 * time.Second); d.Refused()[why] < n; runtime.Gosched() {
		if time.Now().After(limit) {
			d.t.Fatalf("%v was counted %d times, want %d; all: %v", why, d.Refused()[why], n, d.Refused())
		}
	}
	for r, got := range d.Refused() {
		if Refusal(r) != why && got != 0 {
			d.t.Errorf("%v was counted %d times", Refusal(r), got)
		}
	}
}

func both(t *testing.T, f func(t *testing.T, secure bool)) {
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) { f(t, secure) })
	}
}

func TestTokensAreForOneUse(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		d := newDoor(t, secure, nil)
		token := d.Expect(1, 2, 2, d.cfg.Now().Add(time.Minute))
		if got := d.join(secure, token, 1, 2, 0); got != wire.TypeWelcome {
			t.Fatalf("first connection: %v", got)
		}
		if got := d.join(secure, token, 1, 2, 0); got != wire.TypeBye {
			t.Fatalf("the same again: %v", got)
		}
		d.refused(RefusedUsed, 1)
		if got := d.join(secure, token, 1, 2, 1); got != wire.TypeWelcome {
			t.Fatalf("second connection: %v", got)
		}
		if got := d.join(secure, token, 1, 2, 1); got != wire.TypeBye {
			t.Fatalf("after the last one: %v", got)
		}
		d.refused(RefusedUsed, 2)
		var joined [2]bool // in any order: each connection has a goroutine of its own
		for range joined {
			c := <-d.conns
			id := c.ID()
			if id.Worker != 1 || id.Epoch != 2 || id.Shard > 1 || joined[id.Shard] || !c.Room(100) {
				t.Fatalf("connection %+v after %v", id, joined)
			}
			joined[id.Shard] = true
			c.Close()
		}
	})
}

func TestRefusals(t *testing.T) {
	both(t, func(t *testing.T, secure bool) {
		for _, row := range []struct {
			why Refusal
			do  func(d *door, token []byte)
		}{
			{RefusedUnknown, func(d *door, token []byte) { d.join(secure, token, 9, 2, 0) }},
			{RefusedUnknown, func(d *door, token []byte) { d.join(secure, token, 1, 3, 0) }},
			{RefusedShard, func(d *door, token []byte) { d.join(secure, token, 1, 2, 1) }},
			{RefusedProof, func(d *door, _ []byte) { d.join(secure, random(wire.TokenSize), 1, 2, 0) }},
			{RefusedLate, func(d *door, token []byte) { d.advance(time.Minute); d.join(secure, token, 1, 2, 0) }},
			{RefusedUsed, func(d *door, token []byte) { d.Forget(1, 2); d.join(secure, token, 1, 2, 0) }},
			{RefusedProof, func(d *door, token []byte) { // proof made for another worker
				d.Expect(5, 5, 1, d.cfg.Now().Add(time.Minute))
				j := d.joiner(secure)
				h := j.hello(token, 1, 2, 0)
				h.Worker, h.Epoch = 5, 5
				j.send(h.Append(nil))
			}},
			{RefusedProof, func(d *door, token []byte) { // proof overheard on another connection
				h := d.joiner(secure).hello(token, 1, 2, 0)
				j := d.joiner(secure)
				j.send(h.Append(nil))
			}},
			{RefusedVersion, func(d *door, token []byte) {
				j := d.joiner(secure)
				h := j.hello(token, 1, 2, 0)
				h.Version++
				j.send(h.Append(nil))
			}},
			{RefusedFormat, func(d *door, _ []byte) { d.joiner(secure).send(wire.AppendRetire(nil)) }},
			{RefusedFormat, func(d *door, token []byte) {
				j := d.joiner(secure)
				j.send(append(j.hello(token, 1, 2, 0).Append(nil), 0))
			}},
			{RefusedFormat, func(d *door, _ []byte) { d.joiner(secure).send(make([]byte, 200)) }},
			{RefusedGone, func(d *door, _ []byte) { _ = d.joiner(secure).c.Close() }},
		} {
			t.Run(row.why.String(), func(t *testing.T) {
				d := newDoor(t, secure, nil)
				token := d.Expect(1, 2, 1, d.cfg.Now().Add(time.Minute))
				row.do(d, token)
				d.refused(row.why, 1)
				if len(d.conns) != 0 {
					t.Error("a connection was handed over")
				}
			})
		}
	})
}

func TestStrangersAreBounded(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		d := newDoor(t, true, func(c *Config) { c.Timeout = 20 * time.Millisecond })
		d.dial()
		d.refused(RefusedTimeout, 1)
	})
	t.Run("drips", func(t *testing.T) { // a byte now and then does not move the deadline
		d := newDoor(t, true, func(c *Config) { c.Timeout = 50 * time.Millisecond })
		c := d.dial()
		for i := 0; d.Refused()[RefusedTimeout] == 0; i++ {
			if _, err := c.Write([]byte{[]byte{22, 3, 1, 0x40, 0}[min(i, 4)]}); err != nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		d.refused(RefusedTimeout, 1)
	})
	t.Run("talkative", func(t *testing.T) {
		d := newDoor(t, true, func(c *Config) { c.MaxBytes = 1000 })
		c := d.dial()
		_, _ = c.Write(append([]byte{22, 3, 1, 0x3f, 0, 1, 0, 0x3e, 0xfc}, make([]byte, 2000)...)) // a ClientHello of 16 KB
		d.refused(RefusedBytes, 1)
	})
	t.Run("no TLS", func(t *testing.T) {
		d := newDoor(t, true, nil)
		_, _ = d.dial().Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		d.refused(RefusedTLS, 1)
	})
	t.Run("old TLS", func(t *testing.T) {
		d := newDoor(t, true, nil)
		c := tls.Client(d.dial(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
		if c.Handshake() == nil {
			t.Error("TLS 1.2 was accepted")
		}
		d.refused(RefusedTLS, 1)
	})
}

// Silent half-open connections give way, the longest there first, and keep no worker out.
func TestHalfOpenFlood(t *testing.T) {
	for _, secure := range []bool{true, false} {
		d := newDoor(t, secure, func(c *Config) { c.HalfOpen = 3 })
		token := d.Expect(1, 2, 1, d.cfg.Now().Add(time.Minute))
		var flood []net.Conn
		for n := range 8 {
			flood = append(flood, d.dial())
			d.refused(RefusedHalfOpen, uint64(max(n-2, 0)))
			d.halfOpen(min(n+1, 3))
		}
		for i, c := range flood[:5] {
			if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the %d. of 8, which has to go: %v", i+1, err)
			}
		}
		if got := d.join(secure, token, 1, 2, 0); got != wire.TypeWelcome {
			t.Errorf("the worker, TLS %v: %v", secure, got)
		}
		(<-d.conns).Close()
		d.refused(RefusedHalfOpen, 6)
	}
}

// Who has said something stays longer than who has not.
func TestTheSilentGoFirst(t *testing.T) {
	d := newDoor(t, true, func(c *Config) { c.HalfOpen = 2 })
	speaks := d.dial()
	if _, err := speaks.Write([]byte{22, 3, 1, 2}); err != nil { // of a ClientHello
		t.Fatal(err)
	}
	for limit := time.Now().Add(20 * time.Second); !d.spoke(0); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("it is not heard")
		}
	}
	for n := range uint64(4) {
		d.dial()
		d.refused(RefusedHalfOpen, n)
		d.halfOpen(2)
	}
	if !d.spoke(0) {
		t.Error("the one that spoke had to go")
	}
}

// halfOpen waits until n half-open connections are in their handshake.
func (d *door) halfOpen(n int) {
	d.t.Helper()
	for limit := time.Now().Add(20 * time.Second); d.HalfOpen() != n; runtime.Gosched() {
		if time.Now().After(limit) {
			d.t.Fatalf("%d are in their handshake, expected %d", d.HalfOpen(), n)
		}
	}
}

// spoke reports whether half-open connection i, by arrival, has said something.
func (d *door) spoke(i int) bool {
	d.Listener.mu.Lock()
	defer d.Listener.mu.Unlock()
	return i < len(d.Listener.halfOpen) && d.Listener.halfOpen[i].spoke.Load()
}

func TestExpectBurnsTheOlderToken(t *testing.T) {
	d := newDoor(t, false, nil)
	old := d.Expect(1, 2, 1, d.cfg.Now().Add(time.Minute))
	token := d.Expect(1, 2, 1, d.cfg.Now().Add(time.Minute))
	d.join(false, old, 1, 2, 0)
	d.refused(RefusedProof, 1)
	if got := d.join(false, token, 1, 2, 0); got != wire.TypeWelcome {
		t.Errorf("the newer one: %v", got)
	}
	(<-d.conns).Close()
}

func TestExpectationsAreBounded(t *testing.T) {
	d := newDoor(t, false, nil)
	for i := range uint32(maxExpected + 10) {
		d.Expect(i, 1, 1, d.cfg.Now().Add(time.Minute))
	}
	if n := len(d.tokens.byID); n != maxExpected || len(d.tokens.order) != n {
		t.Errorf("%d expected, %d in order", n, len(d.tokens.order))
	}
}

// TestTheConnOwnsItsSocket keeps a Conn alive over garbage collections that would run finalizers, and checks what is set on it.
func TestTheConnOwnsItsSocket(t *testing.T) {
	d := newDoor(t, true, nil)
	token := d.Expect(1, 2, 1, d.cfg.Now().Add(time.Minute))
	j := d.joiner(true)
	if got := j.send(j.hello(token, 1, 2, 0).Append(nil)); got != wire.TypeWelcome {
		t.Fatal(got)
	}
	c := <-d.conns
	defer c.Close()
	for range 5 {
		runtime.GC()
	}
	c.Add(1, 1, false, 60, make([]byte, 60), true, 0)
	if s := c.Flush(); s != OK {
		t.Fatal(s, c.Reason())
	}
	if h, _ := j.frame(); h.Type != wire.TypeBatch {
		t.Fatalf("got %v", h.Type)
	}
	if s := c.Read(&counter{}); s != Again {
		t.Errorf("an idle socket reads as %v: it blocks or is gone", s)
	}
	_ = j.c.Close()
	k := &counter{}
	for limit := time.Now().Add(20 * time.Second); c.Status() == OK && time.Now().Before(limit); runtime.Gosched() {
		c.Read(k)
	}
	if c.Status() != Closed || len(outstandingOf(c)) != 1 {
		t.Errorf("%v, %v, %d outstanding", c.Status(), c.Reason(), len(outstandingOf(c)))
	}
}

func TestCloseEndsHandshakes(t *testing.T) {
	d := newDoor(t, true, nil)
	d.dial()
	d.halfOpen(1)
	began := time.Now()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if d.HalfOpen() != 0 {
		t.Errorf("%d handshakes are left", d.HalfOpen())
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]Config{
		"Joined is not set":      {},
		"Identity is not set":    {Joined: func(*Conn) {}, TLS: true},
		"a negative limit":       {Joined: func(*Conn) {}, Timeout: -1},
		"listening for workers:": {Joined: func(*Conn) {}, Address: "256.0.0.1:1"},
	} {
		if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func TestReasonsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range NumReasons {
		if n := r.String(); n == "" || n == "unknown" || seen[n] {
			t.Errorf("reason %d is called %q", r, n)
		} else {
			seen[n] = true
		}
	}
	for r := range NumRefusals {
		if n := r.String(); n == "" || seen["refused "+n] {
			t.Errorf("refusal %d is called %q", r, n)
		} else {
			seen["refused "+n] = true
		}
	}
}

// FuzzJoin lets anybody say anything before the Welcome. Nobody gets in without the token, and the reader ends.
func FuzzJoin(f *testing.F) {
	f.Add((&wire.Hello{Version: wire.Version, Worker: 1, Epoch: 2}).Append(nil))
	f.Add(wire.AppendRetire(nil))
	f.Add([]byte{11, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0})
	tokens := newTokens(time.Now)
	tokens.expect(1, 2, 1, time.Now().Add(time.Hour))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h wire.Hello
		why, ok := readHello(strings.NewReader(string(data)), tlsrecord.NewInbox(tlsrecord.Plain().Open, wire.HeaderSize+wire.MaxControl, 0), &h)
		if ok {
			if len(data) < wire.HeaderSize+44 {
				t.Fatal("a Hello out of too little")
			}
			if why, ok = tokens.redeem(&h, []byte("binding")); ok {
				t.Fatal("let in without the token")
			}
		}
		if why >= NumRefusals {
			t.Fatal("no reason")
		}
	})
}
