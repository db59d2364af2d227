package dataplane

import (
	"os"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress"
)

// flushPort keeps what it was given in its ring until it has been kicked some times.
type flushPort struct {
	*fakePort
	kicks int // until the ring is empty
}

func (p *flushPort) Flush() bool {
	p.kicks = max(0, p.kicks-1)
	return p.kicks > 0
}

// What is counted as forwarded has left when the shard ends, also where the kernel takes a ring in several calls.
func TestStopWaitsForTheRing(t *testing.T) {
	r := newRig(t, nil)
	p := &flushPort{fakePort: r.ports[1]}
	r.s.ports[1] = p
	r.s.Stop(time.Minute)
	p.kicks = 4
	turns := 0
	for more := true; more; turns++ {
		_, more = r.s.turn(false)
	}
	if p.kicks > 0 {
		t.Errorf("the shard ended after %d turns, and its port still had frames to send", turns)
	}
}

// A shard that was made and never ran leaves no descriptor behind.
func TestCloseWithoutRun(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc here")
		}
		return len(fds)
	}
	ports := [2]ingress.Port{newFakePort(t), newFakePort(t)}
	before := count()
	for range 10 {
		s, err := NewShard(0, Defaults(), Queue{Ports: ports}, Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after >= before+10 {
		t.Errorf("%d descriptors before ten shards, %d after", before, after)
	}
}

// Settling costs one look at each late packet, however many that can't be settled stand before them.
func TestSettleLateIsLinear(t *testing.T) {
	const n = 8000
	r := newRig(t, func(c *Config) { c.Slots, c.Flows = 2*n, 1024 })
	r.ports[0].keepOut = false
	r.ports[1].room = 0 // the port is stuck: what was judged stays in its queue
	a := newFakeLink(t, 1, n)
	r.s.Connect(a, 0)
	r.place(1, 1)
	feed := func() {
		for i := range n {
			r.ports[0].in = append(r.ports[0].in, udp(uint16(1000+i%512), false, uint64(i)))
		}
		for len(r.ports[0].in) > 0 {
			r.s.turn(false)
		}
	}
	feed()
	a.answer(n, func(int) uint8 { return 0 })
	r.turn(1)
	feed()
	r.later(r.s.cfg.MaxDelay + time.Millisecond)
	start := time.Now()
	r.s.settleLate()
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("settling %d packets behind %d that are stuck took %v", n, n, took)
	}
	var l Ledger
	r.s.publish()
	r.s.Ledger(&l)
	if l.Ports[0].Dropped[NoVerdict] == 0 {
		t.Error("nothing was settled")
	}
}
