package dataplane

import (
	"slices"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress"
)

// A standby has nothing to answer but requests for reports; one that hangs is found out by those.
func TestASilentStandbyIsLost(t *testing.T) {
	r := newRig(t, nil)
	active, standby := newFakeLink(t, 1, 64), newFakeLink(t, 2, 64)
	r.s.Connect(active, 0)
	r.s.Connect(standby, 0)
	r.place(1, 1)
	r.turn(2)
	ask := func() {
		r.s.due.overdue, r.s.due.report = 0, 0
		active.heard++
		r.turn(1)
	}
	for range maxUnheard {
		ask()
	}
	if len(r.lost) > 0 {
		t.Fatalf("lost %v after %d requests", r.lost, maxUnheard)
	}
	standby.heard++ // a late answer is an answer
	for range maxUnheard + 1 {
		ask()
	}
	if len(r.lost) > 0 {
		t.Fatalf("lost %v, which had answered %d requests ago", r.lost, maxUnheard)
	}
	ask()
	if !slices.Equal(r.lost, []uint32{2}) || !standby.closed {
		t.Errorf("lost %v, want the standby, 2", r.lost)
	}
}

// What a packet has caused is not sent when the packet was settled without its worker.
func TestNoInjectionForASettledPacket(t *testing.T) {
	r := newRig(t, func(c *Config) { c.FailureClosed = false })
	l := newFakeLink(t, 1, 64)
	r.s.Connect(l, 0)
	r.place(1, 1)
	r.ports[0].in = [][]byte{udp(1, false, 1), udp(2, false, 1)}
	r.turn(2)
	if len(l.refs) != 2 {
		t.Fatalf("%d packets at the worker, want 2", len(l.refs))
	}
	late, prompt := l.refs[0], l.refs[1]
	i, _ := r.s.slots.get(late)
	r.s.resolve(i, r.s.stopWaiting(i))
	r.s.conns.reading = 0
	for _, ref := range []uint64{late, prompt} {
		r.s.Inject(ref, uint8(ingress.Inside), udp(9, true, 7))
	}
	r.turn(1)
	if got := len(r.ports[ingress.Inside].out); got != 1 || r.ledger().Ports[ingress.Inside].Injected != 1 {
		t.Errorf("%d frames were injected, want that of the packet that is still parked", got)
	}
}

// What one shard received for another is accounted for when that other one ends, before or after it was handed over.
func TestCrossedFramesSurviveAStop(t *testing.T) {
	a, b := newRig(t, nil), newRig(t, nil)
	b.s.id = 1
	if err := Join([]*Shard{a.s, b.s}); err != nil {
		t.Fatal(err)
	}
	feed := func() {
		for flow := range uint16(64) {
			a.ports[0].in = append(a.ports[0].in, udp(flow, false, 1))
		}
		for len(a.ports[0].in) > 0 {
			a.s.turn(false)
		}
	}
	feed()
	crossed := a.ledger().Crossed
	if crossed == 0 {
		t.Fatal("no flow of 64 belongs to the other shard")
	}
	b.s.Stop(0)
	for more := true; more; {
		b.s.clock.now += int64(time.Second)
		_, more = b.s.turn(false)
	}
	b.s.close()
	if l := b.ledger(); l.Ports[0].Received != crossed || l.Ports[0].Dropped[Shutdown] != crossed {
		t.Errorf("%d crossed; the other shard received %d and dropped %d at its end", crossed, l.Ports[0].Received, l.Ports[0].Dropped[Shutdown])
	}
	feed()
	if l := a.ledger(); l.Ports[0].Dropped[Shutdown] != crossed || l.Crossed != crossed {
		t.Errorf("%d more for a shard that has ended, %d dropped for that", crossed, l.Ports[0].Dropped[Shutdown])
	}
}
