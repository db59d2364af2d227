package afxdp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/perf/topo"
)

// testFrame is a frame of an EtherType for experiments, with its number in it.
func testFrame(number, size int) []byte {
	f := make([]byte, size)
	copy(f, []byte{0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x88, 0xB5})
	if size >= 18 {
		binary.BigEndian.PutUint32(f[14:], uint32(number))
		for i := 18; i < size; i++ {
			f[i] = byte(number + i)
		}
	}
	return f
}

// expectFrames reads n numbered frames off a tap, in order.
func expectFrames(t *testing.T, tap *topo.Tap, first, n, size int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		got, err := tap.Receive(3 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, testFrame(i, size)) {
			t.Fatalf("frame %d of %d: got %d bytes, % x...", i, n, len(got), got[:min(len(got), 24)])
		}
	}
}

func txFree(p *Port) int { return p.tx.free.len() }

// TestBurstOf200 sends 200 frames with one Transmit and one Flush. The library's Transmit alone strands all but the first 32.
func TestBurstOf200(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	tap := openTap(t, tp.Outside)
	p := w.ports[ingress.Outside][0]
	frames := make([]ingress.Frame, 200)
	for i := range frames {
		frames[i].Data = testFrame(i, 60)
	}
	if n := p.Transmit(frames); n != 200 {
		t.Fatalf("took %d of 200", n)
	}
	if p.Flush() {
		t.Error("frames are left on the ring")
	}
	expectFrames(t, tap, 0, 200, 60)
	var s ingress.PortStats
	p.Stats(&s)
	if s.TxPackets != 200 || s.TxBytes != 200*60 || s.TxErrors+s.TxDropped+s.TxInvalid != 0 {
		t.Errorf("got %+v", s)
	}
	// Once more with the budget of older kernels: the ring is kicked until it is drained.
	if err := setBudget(p, 32); err != nil {
		t.Logf("this kernel has no settable budget: %v", err)
	}
	if n := p.Transmit(frames); n != 200 {
		t.Fatalf("took %d of 200", n)
	}
	for p.Flush() {
	}
	expectFrames(t, tap, 0, 200, 60)
}

// TestEveryTXFrameComesBack sends many more frames than there are TX frames, in bursts of odd sizes, to receivers that free
// them when they like. The free list must hold each frame once in the end: counting completions instead of reading them
// would hand out frames that are still being sent.
func TestEveryTXFrameComesBack(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, func(c *WireConfig) { c.Port.TXRing = 64 })
	tap := openTap(t, tp.Outside)
	p := w.ports[ingress.Outside][0]
	frames := make([]ingress.Frame, 50)
	sent := 0
	for burst := 1; sent < 5000; burst++ {
		n := burst%49 + 1
		for i := range n {
			frames[i].Data = testFrame(sent+i, 100)
		}
		for rest := frames[:n]; len(rest) > 0; {
			rest = rest[p.Transmit(rest):]
			p.Flush()
		}
		for p.Flush() {
		}
		expectFrames(t, tap, sent, n, 100)
		sent += n
	}
	eventually(t, "all TX frames", func() bool { p.Flush(); return txFree(p) == 64 })
	seen := map[uint32]bool{}
	for _, frame := range p.tx.free.free {
		if seen[frame] || int(frame) < p.cfg.RXFrames || int(frame) >= p.cfg.RXFrames+64 {
			t.Fatalf("frame %d is twice on the free list, or not a TX frame", frame)
		}
		seen[frame] = true
	}
}

// TestTransmitTakesAPrefix fills the port without a Flush: it takes what it has frames for, and the caller keeps the rest.
func TestTransmitTakesAPrefix(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, func(c *WireConfig) { c.Port.TXRing = 64 })
	p := w.ports[ingress.Outside][0]
	frames := make([]ingress.Frame, 100)
	for i := range frames {
		frames[i].Data = testFrame(i, 60)
	}
	if n := p.Transmit(frames); n != 64 {
		t.Fatalf("took %d, expected 64", n)
	}
	if n := p.Transmit(frames[64:]); n != 0 {
		t.Fatalf("took %d, expected none", n)
	}
	for p.Flush() {
	}
	eventually(t, "room", func() bool { p.Flush(); return txFree(p) == 64 })
	if n := p.Transmit(frames[64:]); n != 36 {
		t.Fatalf("took %d, expected 36", n)
	}
}

// TestImpossibleLengths: what no link carries is taken and counted, not offered for ever, and never shown to the kernel.
func TestImpossibleLengths(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	p := w.ports[ingress.Outside][0]
	frames := []ingress.Frame{{Data: nil}, {Data: make([]byte, 13)}, {Data: make([]byte, maxFrame+1)}}
	if n := p.Transmit(frames); n != 3 {
		t.Fatalf("took %d of 3", n)
	}
	if p.Flush() {
		t.Error("something is on its way")
	}
	var s ingress.PortStats
	p.Stats(&s)
	if s.TxInvalid != 3 || s.TxPackets != 0 {
		t.Errorf("got %+v", s)
	}
}
