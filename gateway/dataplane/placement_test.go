package dataplane

import (
	"fmt"
	"testing"
)

// assigned is a shard with connections to n workers whose numbers are step apart, each of which has every n-th sub-flow.
func assigned(t testing.TB, n, step int) *Shard {
	s := newRig(t, func(*Config) {}).s
	p := &Placement{Version: 1, Pools: make([]Pool, 1)}
	for i := range n {
		s.connect(newFakeLink(t, uint32(1+i*step), 1), 0)
		for sub := i; sub < SubFlows; sub += n {
			p.Pools[0][sub] = uint32(1 + i*step)
		}
	}
	s.adopt(p)
	return s
}

// Each sub-flow finds its worker's connection, also where the low bits of the workers' numbers are all the same.
func TestRerouteFindsEveryConnection(t *testing.T) {
	for _, step := range []int{1, MaxWorkers} {
		s := assigned(t, 3, step)
		s.lose(1, "")
		s.reroute()
		for sub, id := range s.routes[0].conn {
			switch want := s.placement.Pools[0][sub]; {
			case sub%3 == 1:
				if id != noConn {
					t.Fatalf("step %d: sub-flow %d of a worker that is gone goes to connection %d", step, sub, id)
				}
			case id == noConn || s.conns.all[id].worker != want:
				t.Fatalf("step %d: sub-flow %d of worker %d goes to connection %d", step, sub, want, id)
			}
		}
	}
}

func BenchmarkReroute(b *testing.B) {
	for _, n := range []int{1, 16, 200} {
		b.Run(fmt.Sprint(n, "workers"), func(b *testing.B) {
			s := assigned(b, n, 1)
			b.ReportAllocs()
			for b.Loop() {
				s.reroute()
			}
		})
	}
}
