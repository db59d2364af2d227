package relay

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

func TestBatchesLeaveAndAnswersComeBack(t *testing.T) {
	c, p := connPair(t, 0, noLimit)
	if _, _, ok := p.next(); ok || c.Flush() != OK || c.WantWrite() {
		t.Fatal("something was sent before anything was added")
	}
	for i := range 3 {
		if !c.Room(60) {
			t.Fatal("no room")
		}
		c.Add(uint64(100+i), uint16(i), i == 1, 60+i, make([]byte, 60), i == 0, int64(1000*i))
	}
	if n, oldest := batched(c); n != 3 || oldest != 0 {
		t.Errorf("batched %d, oldest %d", n, oldest)
	}
	if s := c.Flush(); s != OK {
		t.Fatal(s)
	}
	h, body, ok := p.next()
	var b wire.Batch
	if !ok || h.Type != wire.TypeBatch || h.Sequence != 1 || b.Parse(h, body) != wire.FaultNone || b.Packets != 3 {
		t.Fatalf("frame %+v", h)
	}
	var w wire.ResultWriter
	w.Begin(nil, 1, noLimit)
	w.EndState(append(w.BeginState(), "delta"...))
	for _, v := range []uint8{0, 5, 5} {
		w.Verdict(v)
	}
	w.Rewritten(0, wire.RewroteHeaders, []byte("headers"))
	w.Injected(2, wire.Outside, []byte("frame"))
	out, _ := w.End()
	p.send(out)
	k := &collector{}
	if s := c.Read(k); s != Again {
		t.Errorf("Read: %v", s)
	}
	if want := []string{"state", "rewritten", "inject", "verdicts", "verdicts"}; !slices.Equal(k.told, want) {
		t.Errorf("told %v, want %v", k.told, want)
	}
	if !slices.Equal(k.refs, []uint64{100, 101, 102}) || !slices.Equal(k.verdicts, []uint8{0, 5, 5}) ||
		!slices.Equal(k.data, []string{"delta", "headers", "frame"}) || k.number != 102<<8|wire.Outside {
		t.Errorf("told %+v", k)
	}
	if n, bytes := inFlight(c); n != 0 || bytes != 0 || len(outstandingOf(c)) != 0 || oldestUnanswered(c) != 0 {
		t.Errorf("%d packets, %d bytes in flight", n, bytes)
	}
}

func TestOtherFramesAreTold(t *testing.T) {
	c, p := connPair(t, 0, noLimit)
	k := &collector{}
	p.send(wire.AppendEvents(nil, []byte("{}\n"), 7, noLimit))
	c.Read(k)
	if k.number != 7 {
		t.Errorf("%d lost", k.number)
	}
	p.send(wire.AppendReport(nil, []byte(`{"a":1}`), 0, noLimit))
	p.send(wire.AppendTime(nil, wire.TypePong, 77, noLimit))
	p.send(wire.AppendTime(nil, wire.TypePing, 78, noLimit))
	skip := wire.Header{Type: 99, Flags: wire.FlagSkip, Length: 3}
	p.send(append(skip.Append(nil), "xyz"...))
	p.send(wire.AppendTime(nil, wire.TypeDrain, 79, 4096))
	c.Read(k)
	if !slices.Equal(k.told, []string{"events", "report", "draining"}) || !slices.Equal(k.data, []string{"{}\n", `{"a":1}`}) || k.number != 79 {
		t.Errorf("told %+v", k)
	}
	if c.LastPong() != 77 {
		t.Errorf("last pong %d", c.LastPong())
	}
	if c.Room(5000) {
		t.Error("room beyond the credit of the newest frame")
	}
	c.Flush()
	if h, body, ok := p.next(); !ok || h.Type != wire.TypePong {
		t.Errorf("the ping was answered by %+v", h)
	} else if at, _ := wire.ParseTime(body); at != 78 {
		t.Errorf("pong of %d", at)
	}
	p.send(wire.AppendBye(nil, wire.ByeDeadline, wire.FaultNone))
	if s := c.Read(k); s != Closed || c.Reason() != ReasonBye || c.Bye() != wire.ByeDeadline {
		t.Errorf("%v, %v, %v", s, c.Reason(), c.Bye())
	}
}

func TestControlFramesKeepTheirOrder(t *testing.T) {
	c, p := connPair(t, 0, noLimit)
	c.Add(1, 1, false, 60, make([]byte, 60), true, 0)
	big := make([]byte, maxStatePart)
	if c.ImportState(make([]byte, maxStatePart+1), false) {
		t.Error("a part too long was taken")
	}
	if !c.ImportState([]byte("part"), true) || !c.ImportState(big, false) || !c.Ping(5) || !c.RequestReport() {
		t.Fatal("no room")
	}
	c.Add(2, 1, false, 60, make([]byte, 60), true, 0)
	if !c.Retire() {
		t.Fatal("no room")
	}
	for c.Flush() == Again {
		p.fill()
	}
	var got []wire.Type
	for {
		h, _, ok := p.next()
		if !ok {
			break
		}
		got = append(got, h.Type)
	}
	want := []wire.Type{wire.TypeBatch, wire.TypeState, wire.TypeState, wire.TypePing, wire.TypeReportRequest, wire.TypeBatch, wire.TypeRetire}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestALyingWorkerIsCutOff has one row for each way to break the format; whatever it is, what is outstanding stays so.
func TestALyingWorkerIsCutOff(t *testing.T) {
	result := func(sequence uint32, packets int) []byte { return pass(nil, sequence, packets, noLimit) }
	for _, row := range []struct {
		name  string
		bytes []byte
		want  Reason
	}{
		{"garbage", bytes.Repeat([]byte{0x6E}, 100), WireReason(wire.FaultType)},
		{"zeros", make([]byte, 100), WireReason(wire.FaultType)},
		{"a Batch", wire.Header{Type: wire.TypeBatch, Count: 1, Length: 24}.Append(nil), WireReason(wire.FaultDirection)},
		{"a Retire", wire.AppendRetire(nil), WireReason(wire.FaultDirection)},
		{"another Hello", (&wire.Hello{Version: wire.Version}).Append(nil), WireReason(wire.FaultDirection)},
		{"a result for the second batch", result(2, 2), WireReason(wire.FaultSequence)},
		{"a result for no batch", result(9, 2), WireReason(wire.FaultSequence)},
		{"a verdict too few", result(1, 1), WireReason(wire.FaultRuns)},
		{"a verdict too many", result(1, 3), WireReason(wire.FaultRuns)},
		{"a result too many", append(append(result(1, 2), result(2, 1)...), result(3, 1)...), WireReason(wire.FaultSequence)},
		{"a frame longer than any", wire.Header{Type: wire.TypeEvents, Length: wire.MaxBody + 1}.Append(nil), WireReason(wire.FaultLong)},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, p := connPair(t, 0, noLimit)
			c.Add(10, 1, false, 60, make([]byte, 60), true, 0)
			c.Add(11, 1, false, 60, make([]byte, 60), true, 0)
			c.Flush()
			c.Add(12, 1, false, 60, make([]byte, 60), true, 0)
			c.Flush()
			k := &collector{}
			p.send(row.bytes)
			if s := c.Read(k); s != Broken || c.Reason() != row.want {
				t.Errorf("%v, %v; want broken, %v", s, c.Reason(), row.want)
			}
			if got := append(k.refs, outstandingOf(c)...); !slices.Equal(got, []uint64{10, 11, 12}) {
				t.Errorf("answered and outstanding together: %v", got)
			}
			if c.Room(10) || c.Flush() != Broken || c.Read(k) != Broken || c.Ping(1) || c.Retire() || c.WantWrite() {
				t.Error("a broken connection goes on")
			}
			c.Close()
			var last wire.Header
			var body []byte
			for {
				h, b, ok := p.next()
				if !ok {
					break
				}
				last, body = h, b
			}
			if _, theirs, _ := wire.ParseBye(body); last.Type != wire.TypeBye || WireReason(theirs) != row.want {
				t.Errorf("told %v, fault %v", last.Type, theirs)
			}
		})
	}
}

// A handler may close the connection for what a frame means: nothing more of it is delivered.
func TestCloseStopsDelivery(t *testing.T) {
	c, p := connPair(t, 0, noLimit)
	c.Add(1, 1, false, 60, make([]byte, 60), true, 0)
	c.Flush()
	var w wire.ResultWriter
	w.Begin(nil, 1, noLimit)
	w.Verdict(0)
	w.Rewritten(0, wire.RewroteHeaders, []byte("x"))
	out, _ := w.End()
	p.send(out)
	k := &collector{c: c, closes: true}
	if s := c.Read(k); s != Closed || c.Reason() != ReasonLocal || !slices.Equal(k.told, []string{"rewritten"}) || len(outstandingOf(c)) != 1 {
		t.Errorf("%v, %v, told %v, %d outstanding", s, c.Reason(), k.told, len(outstandingOf(c)))
	}
}

func TestEndsOfASocket(t *testing.T) {
	c, p := connPair(t, 0, noLimit)
	c.Add(1, 1, false, 60, make([]byte, 60), true, 0)
	p.close()
	if s := c.Read(&counter{}); s != Closed || c.Reason() != ReasonEOF || len(outstandingOf(c)) != 1 {
		t.Errorf("EOF: %v, %v", s, c.Reason())
	}
	c, p = connPair(t, 0, noLimit)
	c.Add(1, 1, false, 60, make([]byte, 60), true, 0)
	p.close()
	if s := c.Flush(); s != Closed || c.Reason() != ReasonReset || len(outstandingOf(c)) != 1 {
		t.Errorf("EPIPE: %v, %v", s, c.Reason())
	}
	c.Close()
	if c.FD() != -1 || c.Reason() != ReasonReset {
		t.Errorf("after Close: descriptor %d, %v", c.FD(), c.Reason())
	}
	c.Close() // again: nothing
}

func TestWindowAndCredit(t *testing.T) {
	for _, row := range []struct {
		name           string
		window, credit int
	}{{"window", 10_000, 1 << 30}, {"credit", 1 << 30, 10_000}} {
		t.Run(row.name, func(t *testing.T) {
			c, p := connPair(t, row.window, uint32(row.credit))
			n := 0
			for ; c.Room(100); n++ {
				c.Add(uint64(n), 1, false, 100, make([]byte, 100), true, 0)
				if n%10 == 9 {
					c.Flush()
				}
			}
			if _, bytes := inFlight(c); bytes > 10_000 || bytes < 9_700 {
				t.Errorf("%d bytes in flight", bytes)
			}
			c.Flush()
			p.send(pass(nil, 1, 10, uint32(row.credit)))
			c.Read(&counter{})
			if !c.Room(100) {
				t.Error("still no room after an answer")
			}
		})
	}
	c, p := connPair(t, 0, 0)
	if c.Room(0) {
		t.Error("room without credit")
	}
	p.send(wire.AppendTime(nil, wire.TypePong, 1, 100))
	if c.Read(&counter{}); !c.Room(60) || c.Room(100) {
		t.Error("credit of 100 bytes is for a packet of 60, not for one of 100")
	}
	if c.Room(wire.MaxPacket + 1) {
		t.Error("room for a packet that can't be shipped")
	}
}

// TestASlowReaderNeverBlocks fills the socket of a worker that does not read. No call waits, memory is bounded, Room turns false;
// when the worker reads again everything arrives.
func TestASlowReaderNeverBlocks(t *testing.T) {
	c, p := connPair(t, noLimit, noLimit)
	_ = unix.SetsockoptInt(c.FD(), unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10)
	data := make([]byte, 1400)
	sent := 0
	again := false
	for ; c.Room(len(data)); sent++ {
		c.Add(uint64(sent), 1, false, 1400, data, true, 0)
		again = c.Flush() == Again || again
		if sent > 10_000 {
			t.Fatal("there is always room")
		}
	}
	if !again || !c.WantWrite() || cap(c.out) > outSize {
		t.Errorf("again %v, want write %v, queue of %d bytes", again, c.WantWrite(), cap(c.out))
	}
	got := 0
	k := &counter{}
	var out []byte
	for got < sent {
		h, _, ok := p.next()
		if !ok {
			if s := c.Write(); s != OK && s != Again {
				t.Fatal(s)
			}
			continue
		}
		got += int(h.Count)
		out = pass(out, h.Sequence, int(h.Count), noLimit)
	}
	p.send(out)
	if c.Read(k); k.verdicts != sent || !c.Room(len(data)) {
		t.Errorf("%d of %d answered, room %v", k.verdicts, sent, c.Room(len(data)))
	}
}

func TestTimesFarApartAreSeveralBatches(t *testing.T) {
	c, p := connPair(t, 0, noLimit)
	for i, at := range []int64{5e9, 5e9 + 1e6, 6e9, 4e9} {
		c.Add(uint64(i), 1, false, 60, make([]byte, 60), true, at)
	}
	c.Flush()
	var counts []uint16
	for {
		h, _, ok := p.next()
		if !ok {
			break
		}
		counts = append(counts, h.Count)
	}
	if !slices.Equal(counts, []uint16{2, 1, 1}) {
		t.Errorf("batches of %v", counts)
	}
	if at := oldestUnanswered(c); at != 5e9 {
		t.Errorf("oldest %d", at)
	}
	c.Tick(7e9)
	c.Add(9, 1, false, 60, make([]byte, 60), true, 1)
	if _, at := batched(c); at != 7e9 {
		t.Errorf("with a clock the oldest is of %d", at)
	}
}

// TestOutstandingModel kills the worker at random moments and compares what is outstanding with a list.
func TestOutstandingModel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		c, p := connPair(t, 1<<uint(12+r.IntN(9)), noLimit)
		var want []uint64 // added and not answered
		var unanswered []wire.Header
		next := uint64(round) << 32
		now := int64(1e9)
		k := &collector{}
		for range 2 + r.IntN(400) {
			switch r.IntN(6) {
			case 0, 1, 2:
				for range r.IntN(300) {
					size := r.IntN(200)
					now += int64(r.IntN(2e6))
					if !c.Room(size) {
						break
					}
					c.Add(next, uint16(r.IntN(wire.Subflows)), r.IntN(2) == 0, size, make([]byte, size), true, now)
					want = append(want, next)
					next++
				}
			case 3:
				c.Flush()
			default:
				for {
					h, _, ok := p.next()
					if !ok {
						break
					}
					unanswered = append(unanswered, h)
				}
				n := min(r.IntN(4), len(unanswered))
				for _, h := range unanswered[:n] {
					p.send(pass(nil, h.Sequence, int(h.Count), noLimit))
				}
				unanswered = unanswered[n:]
				k.refs = k.refs[:0]
				if s := c.Read(k); s != OK && s != Again {
					t.Fatal(s, c.Reason())
				}
				if !slices.Equal(k.refs, want[:len(k.refs)]) {
					t.Fatal("answers are not in the order of Add")
				}
				want = want[len(k.refs):]
			}
			if n, _ := inFlight(c); n != len(want) {
				t.Fatalf("%d in flight, want %d", n, len(want))
			}
		}
		p.close()
		for c.Status() == OK {
			c.Read(k)
		}
		if got := outstandingOf(c); !slices.Equal(got, want) {
			t.Fatalf("outstanding %v, want %v", got, want)
		}
		c.Close()
	}
}

func TestConnAllocatesNothing(t *testing.T) {
	for _, row := range []struct {
		name string
		tls  bool
	}{{"plain", false}, {"tls", true}} {
		t.Run(row.name, func(t *testing.T) {
			c, w := loop(t, row.tls)
			k := &counter{}
			carried := make([]byte, 66)
			if n := testing.AllocsPerRun(50, func() { w.round(c, k, carried, 256) }); n != 0 {
				t.Errorf("%v allocations a batch", n)
			}
			if k.verdicts != 51*256 {
				t.Errorf("%d verdicts", k.verdicts)
			}
		})
	}
}

// looper is a worker in the same goroutine that allocates nothing either.
type looper struct {
	t    testing.TB
	fd   int
	seal *tlsrecord.Sealer
	in   *tlsrecord.Inbox
	out  []byte
	tx   []byte
}

func loop(t testing.TB, tls bool) (*Conn, *looper) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	gateway, worker := tlsrecord.Plain(), tlsrecord.Plain()
	if tls {
		gateway, worker = tlsPair(t)
	}
	c := NewConn(fds[0], gateway, ID{}, 0, noLimit)
	t.Cleanup(func() { c.Close(); _ = unix.Close(fds[1]) })
	return c, &looper{t, fds[1], worker.Seal, tlsrecord.NewInbox(worker.Open, wire.MaxFrame, 0), make([]byte, 0, 1<<16), make([]byte, 0, 1<<17)}
}

// round sends n packets and answers them.
func (w *looper) round(c *Conn, k *counter, carried []byte, n int) {
	for i := range n {
		if !c.Room(len(carried)) {
			w.t.Fatal("no room")
		}
		c.Add(uint64(i), 1, false, 1514, carried, false, 1e9)
	}
	want := k.verdicts + n
	for k.verdicts < want {
		if s := c.Flush(); s != OK && s != Again {
			w.t.Fatal(s)
		}
		if got, err := unix.Read(w.fd, w.in.Space()); err == nil {
			if fault := w.in.Filled(got); fault != tlsrecord.FaultNone {
				w.t.Fatal(fault)
			}
		}
		w.out = w.out[:0]
		for b := w.in.Bytes(); len(b) >= wire.HeaderSize; b = w.in.Bytes() {
			h, _ := wire.ParseHeader(b)
			size := wire.HeaderSize + int(h.Length)
			if len(b) < size {
				break
			}
			w.in.Consume(size)
			w.out = pass(w.out, h.Sequence, int(h.Count), noLimit)
		}
		if len(w.out) > 0 {
			w.tx = w.seal.Append(w.tx[:0], w.out)
			if _, err := unix.Write(w.fd, w.tx); err != nil {
				w.t.Fatal(err)
			}
		}
		if s := c.Read(k); s != OK && s != Again {
			w.t.Fatal(s, c.Reason())
		}
	}
}

// BenchmarkRoundTrip is a packet's share of: into a batch, sealed, through a socket, opened, parsed, answered, and back. Both
// ends are in one goroutine.
func BenchmarkRoundTrip(b *testing.B) {
	for _, tls := range []bool{false, true} {
		for _, size := range []struct {
			name    string
			carried int
			packets int
		}{{"headers", 66, 256}, {"whole", 1514, 32}} {
			name := "plain/" + size.name
			if tls {
				name = "tls/" + size.name
			}
			b.Run(name, func(b *testing.B) {
				c, w := loop(b, tls)
				k := &counter{}
				carried := make([]byte, size.carried)
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += size.packets {
					w.round(c, k, carried, size.packets)
				}
			})
		}
	}
}
