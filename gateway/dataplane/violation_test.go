package dataplane

import (
	"testing"
	"time"

	"github.com/granule-nf/granule/relay"
)

// A worker that gives a verdict which does not exist is lost, and what it judged so goes to its successor, in order.
func TestVerdictThatDoesNotExist(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Verdicts = 3 })
	a, b := newFakeLink(t, 1, 1000), newFakeLink(t, 2, 1000)
	r.s.Connect(a, 0)
	r.s.Connect(b, 0)
	r.place(1, 1)
	r.turn(1)
	for i := range 8 {
		r.ports[0].in = append(r.ports[0].in, udp(5, false, uint64(i)))
	}
	r.turn(1)
	a.answer(6, func(i int) uint8 {
		if i >= 2 {
			return 77
		}
		return 0
	})
	r.turn(1)
	if !a.closed || len(r.lost) != 1 {
		t.Fatalf("the worker that gave verdict 77 of 3 is connected still; lost: %v", r.lost)
	}
	r.place(2, 2)
	r.turn(1)
	b.answer(1000, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 8)
}

// A worker that agrees to hold nothing is as good as one that answers nothing.
func TestWorkerWithoutCreditIsLost(t *testing.T) {
	r := newRig(t, nil)
	a, b := newFakeLink(t, 1, 0), newFakeLink(t, 2, 1000)
	r.s.Connect(a, 0)
	r.s.Connect(b, 0)
	r.place(1, 1)
	r.turn(1)
	r.later(time.Hour) // it sat idle for long: that is no fault
	r.ports[0].in = append(r.ports[0].in, udp(5, false, 0))
	r.turn(1)
	r.s.due.overdue = 0
	r.turn(1)
	if len(r.lost) != 0 {
		t.Fatal("the worker was lost before worker-timeout")
	}
	r.later(r.s.cfg.WorkerTimeout + time.Millisecond)
	r.turn(1)
	if len(r.lost) != 1 {
		t.Fatal("a worker that took no packet for worker-timeout is connected still")
	}
	r.place(2, 2)
	r.turn(1)
	b.answer(1, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 1)
}

// A worker may announce its end as often as it likes; the coordinator hears of it once.
func TestDrainingIsToldOnce(t *testing.T) {
	r := newRig(t, nil)
	a := newFakeLink(t, 1, 1000)
	told := 0
	r.s.hooks.Draining = func(int, uint32, int64) { told++ }
	r.s.Connect(a, 0)
	r.turn(1)
	a.answers = append(a.answers, func(h relay.Handler) {
		for range 2000 {
			h.Draining(1)
		}
	})
	a.poke()
	r.turn(1)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
