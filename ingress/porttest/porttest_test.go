package porttest

import (
	"bytes"
	"testing"

	"github.com/granule-nf/granule/ingress"
)

// forward moves everything from one port to the other, as the code under test would.
func forward(from, to *Port, frames []ingress.Frame, ids []uint32) int {
	n := from.Receive(frames)
	sent := to.Transmit(frames[:n])
	to.Flush()
	ids = ids[:0]
	for _, f := range frames[:n] {
		ids = append(ids, f.ID)
	}
	from.Release(ids)
	return sent
}

func TestInjectAndCollect(t *testing.T) {
	in, out := NewPair(Config{})
	for i := range 10 {
		if !in.Inject(bytes.Repeat([]byte{byte(i)}, 60+i)) {
			t.Fatalf("frame %d was not taken", i)
		}
	}
	in.End()
	if in.Done() {
		t.Error("done with frames waiting")
	}
	if n := forward(in, out, make([]ingress.Frame, 32), make([]uint32, 0, 32)); n != 10 {
		t.Fatalf("expected 10 forwarded, got %d", n)
	}
	for i, data := range out.Collect() {
		if !bytes.Equal(data, bytes.Repeat([]byte{byte(i)}, 60+i)) {
			t.Errorf("frame %d: got % x", i, data)
		}
	}
	if !in.Done() || in.Held() != 0 {
		t.Errorf("done %t, held %d: expected true, 0", in.Done(), in.Held())
	}
	var rx, tx ingress.PortStats
	in.Stats(&rx)
	out.Stats(&tx)
	if rx.RxPackets != 10 || tx.TxPackets != 10 || rx.RxBytes != tx.TxBytes || tx.TxBytes != 645 {
		t.Errorf("got %+v and %+v", rx, tx)
	}
}

func TestFullStalledAndDown(t *testing.T) {
	p := New(Config{TX: 4})
	five := make([]ingress.Frame, 5)
	for i := range five {
		five[i].Data = []byte{byte(i), 1, 2}
	}
	p.SetStalled(true)
	if n := p.Transmit(five); n != 4 {
		t.Fatalf("expected 4 of 5 taken, got %d", n)
	}
	if !p.Flush() || len(p.Collect()) != 0 {
		t.Error("a stalled port sent")
	}
	p.SetStalled(false)
	if p.Flush() || len(p.Collect()) != 4 {
		t.Error("expected 4 sent after the stall")
	}
	p.SetLink(false)
	p.Transmit(five[:2])
	if p.Flush() || len(p.Collect()) != 0 || p.Inject([]byte{1}) {
		t.Error("a frame crossed a link that is down")
	}
	var s ingress.PortStats
	p.Stats(&s)
	if s.TxDropped != 2 || s.TxPackets != 4 {
		t.Errorf("got %+v", s)
	}
}

func TestDoubleReleasePanics(t *testing.T) {
	p := New(Config{})
	p.Inject([]byte{1, 2, 3})
	f := make([]ingress.Frame, 1)
	p.Receive(f)
	p.Release([]uint32{f[0].ID})
	defer func() {
		if recover() == nil {
			t.Error("the second release went unnoticed")
		}
	}()
	p.Release([]uint32{f[0].ID})
}

func TestNoAllocation(t *testing.T) {
	in, out := NewPair(Config{})
	frames, ids, data := make([]ingress.Frame, 64), make([]uint32, 0, 64), make([]byte, 64)
	nothing := func(ingress.Frame) {}
	if n := testing.AllocsPerRun(100, func() {
		for range 64 {
			in.Inject(data)
		}
		forward(in, out, frames, ids)
		out.Each(nothing)
	}); n != 0 {
		t.Errorf("%v allocations a burst, expected 0", n)
	}
}
