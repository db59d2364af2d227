package dataplane

import (
	"os"
	"strconv"
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
	r.s.ports.port[1] = p
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

// stuckRig parks n packets that are judged and stuck in front of a port, and n behind them that are late.
func stuckRig(t testing.TB, n int) *rig {
	r := newRig(t, func(c *Config) {
		c.Slots, c.Flows = 2*n, 1024
		c.MaxDelay, c.WorkerTimeout = time.Hour, time.Minute // nothing is late before it is made so
	})
	r.ports[0].keepOut = false
	r.ports[1].room = 0
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
	return r
}

// What is late is settled, however many stand before it that can't be.
func TestSettleLateBehindAStuckPort(t *testing.T) {
	const n = 1000
	r := stuckRig(t, n)
	r.s.resolveOverdue()
	if got := r.ledger().Ports[0].Dropped[NoVerdict]; got != n {
		t.Errorf("%d packets were settled behind %d that are stuck, want %d", got, n, n)
	}
}

// BenchmarkSettleLate is to cost one look at each packet: as much a packet with many of them as with few.
func BenchmarkSettleLate(b *testing.B) {
	for _, n := range []int{1000, 8000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				r := stuckRig(b, n)
				b.StartTimer()
				r.s.resolveOverdue()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(2*n), "ns/packet")
		})
	}
}
