package dataplane

import (
	"testing"

	"github.com/granule-nf/granule/ingress"
)

// orderAt fails the test when l is sent a packet after a younger one of the same flow and direction.
func orderAt(t *testing.T, s *Shard, l *fakeLink) {
	type lane struct {
		flow uint16
		back bool
	}
	last := map[lane]uint64{}
	l.added = func(ref uint64) {
		frame := s.slots.frames[uint32(ref)].Data
		flow, back := flowOf(frame)
		k, seq := lane{flow, back}, seqOf(frame)
		if before, some := last[k]; some && before >= seq {
			t.Fatalf("worker %d: packet %d of flow %v came after packet %d", l.worker, seq, k, before)
		}
		last[k] = seq
	}
}

// A worker is sent the packets of a flow in the order in which they came, also those that waited for room on its connection, and
// those that another one left behind.
func TestOrderAtTheWorker(t *testing.T) {
	const packets = 100
	r := newRig(t, nil)
	first, second := newFakeLink(t, 1, 3), newFakeLink(t, 2, 3)
	sent := 0
	for _, l := range []*fakeLink{first, second} {
		orderAt(t, r.s, l)
		check := l.added
		l.added = func(ref uint64) { sent++; check(ref) }
	}
	r.s.Connect(first, 0)
	r.s.Connect(second, 0)
	r.place(1, 1)
	for i := range uint64(packets) {
		r.ports[ingress.Inside].in = append(r.ports[ingress.Inside].in, udp(1000, false, i))
	}
	pass := func(int) uint8 { return 0 }
	for range 20 {
		r.turn(1)
		first.answer(1, pass)
	}
	r.turn(1)
	r.place(2, 2) // what the first one has, and what waits for it, goes to the second
	r.s.Disconnect(1, "replaced")
	for range packets {
		r.turn(1)
		second.answer(2, pass)
	}
	r.turn(1)
	if n := len(r.ports[ingress.Outside].out); n != packets || sent <= packets {
		t.Errorf("%d packets left and %d were sent to workers; %d, and more than that, are expected", n, sent, packets)
	}
}
