package main

import (
	"bytes"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// bareLink returns a link that has joined, without TLS, and the gateway's end of its connection.
func bareLink(t testing.TB, nfs ...nf.BundleNF) (*link, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	theirs, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	_ = theirs.SetDeadline(time.Now().Add(20 * time.Second))
	p, err := nf.Build(nf.Bundle{Flows: 64, NFs: nfs})
	if err != nil {
		t.Fatal(err)
	}
	s := tlsrecord.Plain()
	c, err := newSocket(ours)
	if err != nil {
		t.Fatal(err)
	}
	return newLink(c, s.Seal, tlsrecord.NewInbox(s.Open, wire.MaxBatch, readChunk), p, 0), theirs
}

func batchOf(sequence uint32, packets ...[]byte) []byte {
	b := wire.NewBatchBuilder()
	for i, p := range packets {
		b.Add(1, false, len(p), p, true, int64(i)*1000)
	}
	return bytes.Clone(b.Seal(sequence))
}

// TestAConfusedGatewayIsLeft has one row for each way in which a gateway can make no sense. The worker says which it was.
func TestAConfusedGatewayIsLeft(t *testing.T) {
	tooLong := wire.Header{Type: wire.TypeBatch, Count: 1, Length: wire.MaxBatch}.Append(nil)
	for _, row := range []struct {
		name   string
		say    []byte
		want   Reason
		detail string
		bye    wire.ByeReason
		fault  wire.Fault
	}{
		{"garbage", bytes.Repeat([]byte{0x6E}, 64), ReasonFormat, "frame: type", wire.ByeFormat, wire.FaultType},
		{"a Result", wire.Header{Type: wire.TypeResult, Count: 1, Length: 4}.Append(nil), ReasonFormat, "frame: direction", wire.ByeFormat, wire.FaultDirection},
		{"a batch too long", tooLong, ReasonFormat, "frame: long", wire.ByeFormat, wire.FaultLong},
		{"half a batch", append(wire.Header{Type: wire.TypeBatch, Count: 2, Length: 16}.Append(nil), make([]byte, 16)...), ReasonFormat, "frame: short", wire.ByeFormat, wire.FaultShort},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, gateway := bareLink(t)
			if _, err := gateway.Write(row.say); err != nil {
				t.Fatal(err)
			}
			l.serve()
			if l.reason != row.want || l.detail != row.detail {
				t.Errorf("ended with %s (%s), want %s (%s)", l.reason, l.detail, row.want, row.detail)
			}
			b := make([]byte, 100)
			n, err := gateway.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			h, _ := wire.ParseHeader(b[:n])
			reason, fault, _ := wire.ParseBye(b[wire.HeaderSize:n])
			if h.Type != wire.TypeBye || reason != row.bye || fault != row.fault {
				t.Errorf("said %v: %v, %v", h.Type, reason, fault)
			}
		})
	}
}

func TestTheGatewaysByeIsReported(t *testing.T) {
	for _, row := range []struct {
		reason wire.ByeReason
		want   Reason
		detail string
	}{
		{wire.ByeDone, ReasonClosed, ""},
		{wire.ByeFormat, ReasonFormat, "the gateway rejected a frame: runs"},
		{wire.ByeIdle, ReasonClosed, "the gateway said idle"},
	} {
		l, gateway := bareLink(t)
		if _, err := gateway.Write(wire.AppendBye(nil, row.reason, wire.FaultRuns)); err != nil {
			t.Fatal(err)
		}
		l.serve()
		if l.reason != row.want || l.detail != row.detail {
			t.Errorf("%v: ended with %s (%s)", row.reason, l.reason, l.detail)
		}
	}
}

// TestAGatewayThatTakesNothingIsLeft has a gateway that sends and never reads, as one does that hangs in the middle.
func TestAGatewayThatTakesNothingIsLeft(t *testing.T) {
	l, gateway := bareLink(t)
	l.whole, l.idle = true, 10*time.Millisecond
	go func() {
		packet := make([]byte, 60000)
		for sequence := uint32(1); ; sequence++ {
			if _, err := gateway.Write(batchOf(sequence, packet)); err != nil {
				return // the worker has left
			}
		}
	}()
	l.serve()
	if l.reason != ReasonIdle || l.detail != "the gateway took nothing for 10ms" {
		t.Errorf("ended with %s (%s)", l.reason, l.detail)
	}
}

// TestNoPacketIsCutDown asks for everything whole, of one packet that came whole and one of which the headers came.
func TestNoPacketIsCutDown(t *testing.T) {
	l, gateway := bareLink(t)
	l.whole = true
	b := wire.NewBatchBuilder()
	b.Add(1, false, 60, make([]byte, 60), true, 0)
	b.Add(1, false, 1500, make([]byte, 60), false, 0)
	if _, err := gateway.Write(wire.AppendRetire(b.Seal(1))); err != nil {
		t.Fatal(err)
	}
	l.serve()
	in := make([]byte, 4096)
	n, err := gateway.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := wire.ParseHeader(in[:n])
	var r wire.Result
	if fault := r.Parse(h, in[wire.HeaderSize:wire.HeaderSize+int(h.Length)], 2); fault != wire.FaultNone {
		t.Fatal(fault)
	}
	var e wire.Entry
	for _, want := range []uint8{wire.RewroteWhole, wire.RewroteHeaders} {
		if !r.NextRewritten(&e) || e.What != want || len(e.Data) != 60 {
			t.Errorf("rewritten %d, %d bytes; want %d", e.What, len(e.Data), want)
		}
	}
}

// TestInjectionsAreInOrder runs two functions that inject: each in the order of packets, one after the other.
func TestInjectionsAreInOrder(t *testing.T) {
	l, gateway := bareLink(t, nf.BundleNF{Name: "test-obedient"}, nf.BundleNF{Name: "test-obedient"})
	packet := make([]byte, 60)
	packet[0] = doInject
	if _, err := gateway.Write(append(batchOf(1, packet, packet, packet), wire.AppendRetire(nil)...)); err != nil {
		t.Fatal(err)
	}
	l.serve()
	b := make([]byte, 4096)
	n, err := gateway.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := wire.ParseHeader(b[:n])
	var r wire.Result
	if fault := r.Parse(h, b[wire.HeaderSize:wire.HeaderSize+int(h.Length)], 3); fault != wire.FaultNone {
		t.Fatalf("the gateway would refuse this: %v", fault)
	}
	var e wire.Entry
	var causes []uint16
	for r.NextInjected(&e) {
		causes = append(causes, e.Index)
	}
	if len(causes) != 6 {
		t.Errorf("causes %v", causes)
	}
}

// TestSteadyStateAllocatesNothing runs a whole worker, with TLS over loopback, and counts what both ends allocate.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates by itself")
	}
	modes(t, func(t *testing.T, tls bool) {
		g := newFakeGateway(t, tls)
		done := g.invoke(t.Context(), quietWorker(), g.invocation(1))
		c, k := g.joined(), &tally{}
		carried := make([]byte, 66)
		sent := 0
		run := func(batches int) {
			for range batches {
				for range 256 {
					carried[0] = byte(sent % doInject) // pass, drop, rewritten headers, replaced
					c.Add(uint64(sent), 1, false, 66, carried, true, 1e9)
					sent++
				}
				for c.Flush(); k.verdicts < sent; {
					if s := c.Read(k); s != relay.OK && s != relay.Again {
						t.Fatal(s, c.Reason())
					}
					runtime.Gosched()
				}
			}
		}
		run(20) // buffers grow to what they need
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run(400)
		runtime.ReadMemStats(&after)
		// Other goroutines of the test binary may allocate now and then; a single one in the path would be hundreds.
		if n := after.Mallocs - before.Mallocs; n > 40 {
			t.Errorf("%d allocations in 400 batches of 256 packets", n)
		}
		c.Close()
		(<-done).want(t, ReasonClosed)
	})
}

// tally is a Handler that costs nothing.
type tally struct{ verdicts int }

func (k *tally) State([]byte, func(int) (uint64, bool)) {}
func (k *tally) Verdicts(refs []uint64, _ uint8)        { k.verdicts += len(refs) }
func (k *tally) Rewritten(uint64, uint8, []byte)        {}
func (k *tally) Inject(uint64, uint8, []byte)           {}
func (k *tally) Events([]byte, uint32)                  {}
func (k *tally) Report([]byte)                          {}
func (k *tally) Load(wire.Load)                         {}
func (k *tally) Draining(int64)                         {}

// BenchmarkWorker is a packet's share of its way to a worker over loopback and back, with two batches under way.
func BenchmarkWorker(b *testing.B) {
	for _, tls := range []bool{false, true} {
		name := "plain"
		if tls {
			name = "tls"
		}
		b.Run(name, func(b *testing.B) {
			g := newFakeGateway(b, tls)
			done := g.invoke(b.Context(), quietWorker(), g.invocation(1))
			c, k := g.joined(), &tally{}
			carried := make([]byte, 66)
			b.ReportAllocs()
			b.ResetTimer()
			for sent := 0; k.verdicts < b.N; {
				for n := 0; n < 256 && sent-k.verdicts < 512 && c.Room(66); n++ {
					c.Add(uint64(sent), 1, false, 66, carried, true, 1e9)
					sent++
				}
				c.Flush()
				if s := c.Read(k); s != relay.OK && s != relay.Again {
					b.Fatal(s, c.Reason())
				}
				runtime.Gosched()
			}
			b.StopTimer()
			c.Close()
			<-done
		})
	}
}
