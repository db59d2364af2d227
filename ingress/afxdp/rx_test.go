package afxdp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
)

func setBudget(p *Port, n int) error {
	return unix.SetsockoptInt(p.FD(), unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, n)
}

// TestParkAll holds every frame there is, in UMEM, then gives them back in random order, several times over. What is held
// is not touched; when nothing is left the port starves, and recovers.
func TestParkAll(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, func(c *WireConfig) { c.Port.RXFrames, c.Port.FillRing, c.Port.RXRing = 256, 64, 64 })
	tap := openTap(t, tp.Inside)
	p := w.ports[ingress.Inside][0]
	frames := make([]ingress.Frame, 64)
	rng := rand.New(rand.NewPCG(1, 2))
	number := 0
	for range 3 {
		held, first := []ingress.Frame{}, number
		for len(held) < p.Frames() {
			w.Beat(0, xdpprog.Now())
			if err := tap.Send(testFrame(number, 200)); err != nil {
				t.Fatal(err)
			}
			number++
			eventually(t, "the frame", func() bool {
				n := p.Receive(frames[:1])
				held = append(held, frames[:n]...)
				return n == 1
			})
		}
		w.Beat(0, xdpprog.Now())
		if err := tap.Send(testFrame(99, 200)); err != nil { // one too many: no frame is left for it
			t.Fatal(err)
		}
		eventually(t, "the kernel to miss a frame", func() bool {
			var s ingress.PortStats
			p.Stats(&s)
			return s.RxFillEmpty+s.RxDropped > 0
		})
		seen := map[uint32]bool{}
		for i, f := range held {
			if seen[f.ID] || !bytes.Equal(f.Data, testFrame(first+i, 200)) {
				t.Fatalf("parked frame %d (ID %d) was touched, or its ID given twice", i, f.ID)
			}
			seen[f.ID] = true
			if cap(f.Data) > maxFrame {
				t.Fatalf("frame %d may grow to %d, into its neighbour", i, cap(f.Data))
			}
		}
		rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for _, f := range held {
			p.Release([]uint32{f.ID})
		}
		p.Flush() // gives the kernel what was released
	}
}

// TestNoAllocation receives, copies, sends, flushes and releases bursts.
func TestNoAllocation(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	tap := openTap(t, tp.Inside)
	frames, ids := make([]ingress.Frame, 128), make([]uint32, 0, 128)
	data := testFrame(1, 60)
	moved := 0
	if n := testing.AllocsPerRun(200, func() {
		for range 32 {
			if err := tap.Send(data); err != nil {
				t.Fatal(err)
			}
		}
		moved += across(w, frames, ids)
	}); n != 0 {
		t.Errorf("%v allocations a burst, expected 0", n)
	}
	if moved < 3200 {
		t.Errorf("only %d frames moved", moved)
	}
}

// TestIdlePollsCostLittle waits ten thousand times on idle ports, as an idle shard does, and on a busy poll's FD.
func TestIdlePollsCostLittle(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	frames, ids := make([]ingress.Frame, 128), make([]uint32, 0, 128)
	fds := []unix.PollFd{
		{Fd: int32(w.ports[0][0].FD()), Events: unix.POLLIN},
		{Fd: int32(w.ports[1][0].FD()), Events: unix.POLLIN},
	}
	before, start := cpuTime(t), time.Now()
	for range 10000 {
		if moved := across(w, frames, ids); moved != 0 {
			t.Fatalf("%d frames out of nowhere", moved)
		}
		if n, err := unix.Poll(fds, 0); n != 0 && err == nil {
			t.Fatalf("idle ports are readable: %+v", fds)
		}
	}
	if used := cpuTime(t) - before; used > 500*time.Millisecond {
		t.Errorf("10000 idle rounds took %v of CPU in %v: 50 us each would be too much", used, time.Since(start))
	}
	// Waiting sleeps: the kernel finds nothing to report for as long as it is asked to wait.
	before = cpuTime(t)
	for range 20 {
		if n, err := unix.Poll(fds, 5); n != 0 && err == nil {
			t.Fatalf("idle ports are readable: %+v", fds)
		}
	}
	if used := cpuTime(t) - before; used > 50*time.Millisecond {
		t.Errorf("100 ms of waiting took %v of CPU", used)
	}
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestTwoQueues sends over both queues of a two-queue veth: each frame comes out of one of them, and none passes by unseen.
func TestTwoQueues(t *testing.T) {
	tp := newTopo(t, topo.Config{Queues: 2})
	w := openWire(t, tp, nil)
	if w.Queues() != 2 || len(w.Ports(ingress.Inside)) != 2 || len(w.Ports(ingress.Outside)) != 2 {
		t.Fatalf("%d queues, expected 2", w.Queues())
	}
	tap := openTap(t, tp.Inside)
	out := openTap(t, tp.Outside)
	const total = 512
	seen, perQueue := 0, [2]int{}
	frames, ids := make([]ingress.Frame, 128), []uint32{}
	across(w, frames, ids) // the first beat
	for i := range total {
		// The sender's queue follows from the hash of addresses; an IP header gives it something to hash.
		f := testFrame(i, 60)
		copy(f[12:], []byte{0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, byte(i), 10, 77, 1, byte(i >> 8), byte(i), 1, 2, 3})
		if err := tap.Send(f); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the frame on either queue", func() bool {
			now := xdpprog.Now()
			for q := range 2 {
				w.Beat(q, now)
				p := w.ports[ingress.Inside][q]
				n := p.Receive(frames)
				perQueue[q] += n
				w.ports[ingress.Outside][q].Transmit(frames[:n])
				w.ports[ingress.Outside][q].Flush()
				ids = ids[:0]
				for _, f := range frames[:n] {
					ids = append(ids, f.ID)
				}
				p.Release(ids)
				seen += n
			}
			return seen == i+1
		})
		if got, err := out.Receive(3 * time.Second); err != nil || !bytes.Equal(got, f) {
			t.Fatalf("frame %d: got % x (%v)", i, got, err)
		}
	}
	if perQueue[0] == 0 || perQueue[1] == 0 {
		t.Errorf("queues got %v frames: expected some on each", perQueue)
	}
}
