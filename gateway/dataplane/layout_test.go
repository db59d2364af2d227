package dataplane

import "testing"

// Another configuration's workers and layout come at once: what the old worker had not answered goes to the new one, shipped as
// the new stage needs it, and flows from there on take what the new classifier says.
func TestLayoutComesWithItsWorkers(t *testing.T) {
	r := newRig(t, nil)
	old, next := newFakeLink(t, 1, 1000), newFakeLink(t, 2, 1000)
	r.s.Connect(old, 0)
	r.place(1, 1)
	r.turn(1)
	for i := range 6 {
		r.ports[0].in = append(r.ports[0].in, udp(1000, false, uint64(i)))
	}
	r.turn(1)
	old.answer(2, func(int) uint8 { return 0 })
	r.s.Connect(next, 0)
	r.turn(1)
	if len(r.ports[1].out) != 2 || len(next.refs) != 0 {
		t.Fatalf("%d packets left, %d at the new worker before its placement; expected 2 and none", len(r.ports[1].out), len(next.refs))
	}
	p := &Placement{Version: 2, Pools: make([]Pool, 1), Layout: &Layout{
		Stages: []Stage{{Name: "edge/0", Whole: true}}, Choose: func([]byte, uint32) int { return -1 }, DropUnmatched: true}}
	for sub := range p.Pools[0] {
		p.Pools[0][sub] = 2
	}
	r.s.Place(p)
	r.s.Disconnect(1, "replaced")
	r.turn(1)
	if len(next.refs) != 4 || len(next.carried[0]) != 60 {
		t.Fatalf("the new worker got %d packets of %d bytes; expected the 4 unanswered ones, whole: 60 bytes", len(next.refs), len(next.carried[0]))
	}
	r.ports[0].in = append(r.ports[0].in, udp(1000, false, 6), udp(2000, false, 0))
	r.turn(1)
	next.answer(5, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 7)
	if n := r.ledger().Ports[0].Dropped[Unmatched]; n != 1 {
		t.Errorf("%d packets dropped as wanted by no chain; expected the one of the new flow", n)
	}
}
