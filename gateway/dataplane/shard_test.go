package dataplane

import (
	"bytes"
	"testing"
	"time"

	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

func TestPassAndDropInOrder(t *testing.T) {
	r := newRig(t, nil)
	l := newFakeLink(t, 7, 1000)
	r.s.Connect(l, 0)
	r.place(1, 7)
	r.turn(1)
	for i := range 8 {
		r.ports[0].in = append(r.ports[0].in, udp(1000, false, uint64(i)))
	}
	r.turn(1)
	if len(l.refs) != 8 {
		t.Fatalf("the worker got %d packets, expected 8", len(l.refs))
	}
	if l.flushed != 1 {
		t.Errorf("one burst was flushed %d times", l.flushed)
	}
	if n := len(l.carried[0]); n != 42 {
		t.Errorf("%d bytes of a packet were shipped, expected its 42 bytes of headers", n)
	}
	l.answer(8, func(i int) uint8 { return uint8(i % 2) })
	r.turn(1)
	if len(r.ports[1].out) != 4 {
		t.Fatalf("%d packets left, expected 4", len(r.ports[1].out))
	}
	for i, f := range r.ports[1].out {
		if seqOf(f) != uint64(2*i) {
			t.Errorf("packet %d left as number %d", seqOf(f), i)
		}
	}
	if n := r.ledger().Ports[0].Dropped[FirstVerdict+1]; n != 4 {
		t.Errorf("%d drops are counted for the worker's verdict 1, expected 4", n)
	}
}

// A verdict that comes early waits for those before it in the same flow and direction, and for nothing else.
func TestVerdictsOutOfOrder(t *testing.T) {
	r := newRig(t, nil)
	a, b := newFakeLink(t, 1, 1000), newFakeLink(t, 2, 1000)
	r.s.Connect(a, 0)
	r.s.Connect(b, 0)
	p := &Placement{Version: 1, Pools: make([]Pool, 1)}
	for i := range p.Pools[0] {
		p.Pools[0][i] = 1 + uint32(i%2)
	}
	r.s.Place(p)
	r.turn(1)
	for i := range 40 {
		r.ports[0].in = append(r.ports[0].in, udp(1000+uint16(i%10), false, uint64(i)))
	}
	r.turn(1)
	if len(a.refs) == 0 || len(b.refs) == 0 {
		t.Fatal("the sub-flows of ten flows all went to one of two workers")
	}
	fromA := len(a.refs)
	a.answer(1000, func(int) uint8 { return 0 })
	r.turn(1)
	if n := len(r.ports[1].out); n != fromA {
		t.Errorf("%d packets left, expected the %d of the worker that has answered", n, fromA)
	}
	b.answer(1000, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 40)
}

func checkOrder(t *testing.T, out [][]byte, want int) {
	t.Helper()
	if len(out) != want {
		t.Errorf("%d packets left, expected %d", len(out), want)
	}
	last := map[[2]any]uint64{}
	for _, f := range out {
		flow, back := flowOf(f)
		k := [2]any{flow, back}
		if prev, ok := last[k]; ok && seqOf(f) <= prev {
			t.Fatalf("flow %d: packet %d left after %d", flow, seqOf(f), prev)
		}
		last[k] = seqOf(f)
	}
}

// What a dead worker had not answered goes to its successor before anything newer of the same sub-flow.
func TestReplayAfterDeath(t *testing.T) {
	r := newRig(t, nil)
	a, b := newFakeLink(t, 1, 6), newFakeLink(t, 2, 1000)
	r.s.Connect(a, 0)
	r.place(1, 1)
	r.turn(1)
	for i := range 10 {
		r.ports[0].in = append(r.ports[0].in, udp(5, false, uint64(i)))
	}
	r.turn(1)
	a.answer(2, func(int) uint8 { return 0 })
	r.turn(1) // two leave, two of the waiting ones take their room
	a.broken = true
	a.poke()
	r.turn(1)
	if len(r.lost) != 1 || r.lost[0] != 1 || !a.closed {
		t.Fatalf("lost: %v, closed: %v", r.lost, a.closed)
	}
	r.ports[0].in = append(r.ports[0].in, udp(5, false, 10))
	r.turn(1)
	r.s.Connect(b, 0)
	r.place(2, 2)
	r.turn(1)
	for range 2 { // what the dead one had, then what it never saw
		b.answer(1000, func(int) uint8 { return 0 })
		r.turn(1)
	}
	checkOrder(t, r.ports[1].out, 11)
	if n := r.ledger().Replayed; n != 6 {
		t.Errorf("%d packets are counted as replayed, expected 6", n)
	}
}

// What a worker that is placed no more has not answered when it is disconnected goes to its successor.
func TestReplayAfterPlacement(t *testing.T) {
	r := newRig(t, nil)
	a, b := newFakeLink(t, 1, 100), newFakeLink(t, 2, 100)
	r.s.Connect(a, 0)
	r.s.Connect(b, 0)
	r.place(1, 1)
	r.turn(1)
	r.ports[0].in = [][]byte{udp(5, false, 0), udp(5, false, 1)}
	r.turn(1)
	r.place(2, 2)
	r.s.Disconnect(1, "replaced")
	r.turn(1)
	if !a.closed || len(b.refs) != 2 {
		t.Fatalf("old connection closed: %v; the successor has %d packets, expected 2", a.closed, len(b.refs))
	}
	b.answer(2, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 2)
}

func TestSettleByPolicy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		open   bool
		worker bool
		window int
		reason Reason
		opened func(*Ledger) uint64
	}{
		{"no worker, closed", false, false, 0, NoWorker, nil},
		{"no worker, open", true, false, 0, 0, func(l *Ledger) uint64 { return l.OpenNoWorker }},
		{"no room, closed", false, true, 0, Overload, nil},
		{"no room, open", true, true, 0, 0, func(l *Ledger) uint64 { return l.OpenOverload }},
		{"no verdict, closed", false, true, 10, NoVerdict, nil},
		{"no verdict, open", true, true, 10, 0, func(l *Ledger) uint64 { return l.OpenNoVerdict }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.FailureClosed, c.OverloadClosed = !tt.open, !tt.open })
			l := newFakeLink(t, 1, tt.window)
			if tt.worker {
				r.s.Connect(l, 0)
				r.place(1, 1)
			}
			r.turn(1)
			r.ports[0].in = [][]byte{udp(5, false, 0), udp(5, false, 1), udp(6, false, 2)}
			r.turn(1)
			r.later(r.s.cfg.MaxDelay + time.Second)
			for i := range r.s.conns.all {
				r.s.conns.all[i].progress = r.s.clock.now // the worker is not what is late
			}
			r.turn(1)
			led := r.ledger()
			if tt.open {
				checkOrder(t, r.ports[1].out, 3)
				if n := tt.opened(led); n != 3 {
					t.Errorf("%d packets are counted as opened, expected 3", n)
				}
			} else if n := led.Ports[0].Dropped[tt.reason]; n != 3 {
				t.Errorf("%d drops for reason %d, expected 3", n, tt.reason)
			}
			if len(l.refs) > 0 {
				l.answer(3, func(int) uint8 { return 0 })
				r.turn(1)
				if n := r.ledger().Late; n != 3 {
					t.Errorf("%d verdicts are counted as late, expected 3", n)
				}
			}
		})
	}
}

// A worker that answers nothing is lost after worker-timeout, long before its packets are settled.
func TestHungWorker(t *testing.T) {
	r := newRig(t, nil)
	a, b := newFakeLink(t, 1, 100), newFakeLink(t, 2, 100)
	r.s.Connect(a, 0)
	r.s.Connect(b, 0)
	r.place(1, 1)
	r.turn(1)
	r.ports[0].in = [][]byte{udp(5, false, 0)}
	r.turn(1)
	r.later(r.s.cfg.WorkerTimeout + time.Millisecond)
	r.turn(1)
	if len(r.lost) != 1 {
		t.Fatalf("lost: %v, expected worker 1", r.lost)
	}
	r.place(2, 2)
	r.turn(1)
	b.answer(1, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 1)
}

func TestTwoStagesAndRewrite(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Chains = []Chain{{Name: "edge", Stages: 2}}
		c.Stages = []Stage{{Name: "edge/0", Writes: Headers}, {Name: "edge/1", Whole: true, Writes: Full, Injects: true}}
	})
	a, b := newFakeLink(t, 1, 100), newFakeLink(t, 2, 100)
	r.s.Connect(a, 0)
	r.s.Connect(b, 1)
	p := &Placement{Version: 1, Pools: make([]Pool, 2)}
	for i := range p.Pools[0] {
		p.Pools[0][i], p.Pools[1][i] = 1, 2
	}
	r.s.Place(p)
	r.turn(1)
	in := udp(5, false, 99)
	r.ports[0].in = [][]byte{in}
	r.turn(1)
	ref := a.refs[0]
	headers := bytes.Clone(a.carried[0])
	headers[22] = 63 // TTL
	a.refs = nil
	a.answers = append(a.answers, func(h relay.Handler) { h.Rewritten(ref, wire.RewroteHeaders, headers); h.Verdicts([]uint64{ref}, 0) })
	a.poke()
	r.turn(1)
	if len(b.carried) != 1 || len(b.carried[0]) != len(in) || b.carried[0][22] != 63 {
		t.Fatal("the second stage did not get the whole packet as the first one left it")
	}
	ref = b.refs[0]
	longer := append(bytes.Clone(b.carried[0]), make([]byte, 100)...)
	b.refs = nil
	b.answers = append(b.answers, func(h relay.Handler) {
		h.Rewritten(ref, wire.RewroteWhole, longer)
		h.Inject(ref, 0, in)
		h.Verdicts([]uint64{ref}, 0)
	})
	b.poke()
	r.turn(1)
	if len(r.ports[1].out) != 1 || !bytes.Equal(r.ports[1].out[0], longer) {
		t.Error("what left is not what the second stage made")
	}
	if len(r.ports[0].out) != 1 || !bytes.Equal(r.ports[0].out[0], in) {
		t.Error("the injected frame did not leave on the inside port")
	}
	if l := r.ledger(); l.Ports[0].Injected != 1 || l.Ports[0].Forwarded != 2 {
		t.Errorf("injected %d, forwarded %d; expected 1 and 2", l.Ports[0].Injected, l.Ports[0].Forwarded)
	}
}

func TestBypassAndUnmatched(t *testing.T) {
	arp := make([]byte, 60)
	arp[12], arp[13] = 8, 6
	multicast := udp(5, false, 1)
	multicast[0] = 1
	r := newRig(t, func(c *Config) { c.Choose = func([]byte, uint32) int { return -1 } })
	r.ports[0].in = [][]byte{arp, multicast, udp(5, false, 2), {1, 2, 3}}
	r.turn(2)
	if n := len(r.ports[1].out); n != 4 {
		t.Errorf("%d frames crossed, expected 4", n)
	}
	if n := r.ledger().Ports[0].Bypassed; n != 4 {
		t.Errorf("%d packets are counted as bypassed, expected 4", n)
	}

	r = newRig(t, func(c *Config) {
		c.Choose = func([]byte, uint32) int { return -1 }
		c.DropUnmatched, c.DropMalformed = true, true
	})
	r.ports[0].in = [][]byte{arp, udp(5, false, 2), {1, 2, 3}}
	r.turn(2)
	led := r.ledger()
	if led.Ports[0].Bypassed != 1 || led.Ports[0].Dropped[Unmatched] != 1 || led.Ports[0].Dropped[Malformed] != 1 {
		t.Errorf("bypassed %d, unmatched %d, malformed %d; expected 1 each", led.Ports[0].Bypassed, led.Ports[0].Dropped[Unmatched], led.Ports[0].Dropped[Malformed])
	}
}

func TestTxFull(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Choose = func([]byte, uint32) int { return -1 } })
	r.ports[1].room = 1
	for i := range 3 {
		r.ports[0].in = append(r.ports[0].in, udp(5, false, uint64(i)))
	}
	r.turn(3)
	if len(r.ports[1].out) != 1 {
		t.Fatalf("%d frames left, expected 1", len(r.ports[1].out))
	}
	r.ports[1].room = 1
	r.turn(1)
	if len(r.ports[1].out) != 2 {
		t.Fatalf("%d frames left when the port took one more, expected 2", len(r.ports[1].out))
	}
	r.later(3 * r.s.cfg.MaxDelay)
	r.turn(1)
	if n := r.ledger().Ports[0].Dropped[TxFull]; n != 1 {
		t.Errorf("%d drops for a full port, expected 1", n)
	}
}

func TestStopSettles(t *testing.T) {
	r := newRig(t, nil)
	r.ports[0].in = [][]byte{udp(5, false, 0), udp(5, false, 1)}
	r.turn(1)
	r.s.Stop(0)
	time.Sleep(time.Millisecond)
	for i := 0; i < 3; i++ {
		if _, more := r.s.turn(false); !more {
			break
		}
	}
	led := r.ledger()
	if n := led.Ports[0].Dropped[Shutdown]; n != 2 {
		t.Errorf("%d packets dropped at shutdown, expected 2", n)
	}
	if err := led.Check(); err != nil {
		t.Error(err)
	}
}

func TestReasonsHaveNames(t *testing.T) {
	names := ReasonNames([]string{"pass", "a", "b"})
	seen := map[string]bool{}
	for r := range numOwn {
		if names[r] == "" || seen[names[r]] {
			t.Errorf("reason %d has no name of its own: %q", r, names[r])
		}
		seen[names[r]] = true
	}
	if names[FirstVerdict+1] != "a" || names[FirstVerdict] != "" {
		t.Errorf("verdicts are named %q, %q", names[FirstVerdict], names[FirstVerdict+1])
	}
}

// Nothing that happens to a packet allocates.
func TestNoAllocation(t *testing.T) {
	r := newRig(t, nil)
	l := newQuietLink(t)
	r.s.Connect(l, 0)
	r.place(1, 1)
	r.turn(1)
	port := &quietPort{fakePort: r.ports[0], frame: udp(5, false, 0)}
	r.s.ports.port[0] = port
	r.s.ports.port[1] = &quietPort{fakePort: r.ports[1]}
	for range 10 {
		r.s.turn(false)
	}
	if n := testing.AllocsPerRun(200, func() { r.s.turn(false) }); n != 0 {
		t.Errorf("%v allocations in a turn of the loop, expected none", n)
	}
	if l.answered == 0 {
		t.Error("no packet reached the worker: the test tests nothing")
	}
}
