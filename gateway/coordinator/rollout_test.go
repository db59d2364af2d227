package coordinator

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granule-nf/granule/gateway/dataplane"
)

// generationOf returns the generations of the workers by state, as status tells them.
func (w *cloud) generationOf() map[string]map[uint64]int {
	m := map[string]map[uint64]int{}
	list, _, _ := w.c.Status()
	for _, x := range list {
		if m[x.State] == nil {
			m[x.State] = map[uint64]int{}
		}
		m[x.State][x.Of]++
	}
	return m
}

// placed returns the placements so far; gone reports whether a worker was disconnected.
func (w *cloud) placed() []*dataplane.Placement {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*dataplane.Placement(nil), w.places...)
}

func (w *cloud) gone(worker uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended[worker]
}

// All seats change hands in one placement, which brings the layout, once a worker is there for each; the old ones leave.
func TestRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Pools, c.Seats = []string{"edge/0", "edge/1"}, 2 })
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			before := w.seats()
			layout := &dataplane.Layout{Stages: make([]dataplane.Stage, 2)}
			w.c.Roll(Generation{Number: 2, Start: w.start, Layout: layout})
			synctest.Wait()
			if r := w.c.Rollout(); r.Running != 1 || r.Rolling != 2 {
				t.Errorf("%+v; expected 2 to be rolled out while 1 runs", r)
			}
			at := len(w.placed())
			if w.placed()[at-1].Layout != nil {
				t.Error("the layout came before its workers")
			}
			time.Sleep(time.Second)
			if r := w.c.Rollout(); r.Running != 2 || r.Rolling != 0 || r.Failed != 0 {
				t.Fatalf("%+v; expected 2 to run", r)
			}
			places := w.placed()
			if len(places) != at+1 || places[at].Layout != layout {
				t.Fatalf("%d placements for the turn-over; expected one, with the layout", len(places)-at)
			}
			for pool := range places[at].Pools {
				for _, id := range places[at].Pools[pool] {
					if id == 0 || before[id] != 0 {
						t.Fatalf("pool %d: a sub-flow is at worker %d; expected new workers alone", pool, id)
					}
				}
			}
			for id := range before {
				if !w.gone(id) {
					t.Errorf("worker %d of the old generation still has its connection", id)
				}
			}
			time.Sleep(time.Second)
			if g := w.generationOf(); g["active"][2] != 4 || g["standby"][2] != 2 || len(g) != 2 || len(g["active"]) != 1 || len(g["standby"]) != 1 {
				t.Errorf("workers by state and generation: %v; expected four active and two standing by of 2", g)
			}
			if _, n, reasons := w.c.Status(); n.Lost != 0 || len(reasons) != 0 || n.HandOffs != 4 {
				t.Errorf("lost %d, hand-offs %d, reasons %v; expected 0, 4, none", n.Lost, n.HandOffs, reasons)
			}
		})
	})
}

// A generation whose workers do not come is given up in time, and costs the running one nothing.
func TestRolloutThatFails(t *testing.T) {
	for _, tt := range []struct {
		name, why string
		err       error
		within    time.Duration
	}{
		{"fatal", "too large", fmt.Errorf("invoke: too large: %w", ErrFatal), 10 * time.Millisecond},
		{"throttled for good", "0 of 1 workers joined within 2m0s", fmt.Errorf("invoke: %w", ErrThrottled), 121 * time.Second},
		{"ends before it joins", "0 of 1 workers joined", nil, 121 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCloud(t, nil)
				w.run(func() {
					<-w.c.Ready()
					time.Sleep(time.Second)
					before := w.seats()
					w.c.Roll(Generation{Number: 2, Start: func(context.Context, uint32, int) error { return tt.err }})
					time.Sleep(tt.within)
					r := w.c.Rollout()
					if r.Running != 1 || r.Rolling != 0 || r.Failed != 2 || !strings.Contains(r.Why, tt.why) {
						t.Errorf("%+v; expected 1 to run on and 2 to have failed: %s", r, tt.why)
					}
					if after := w.seats(); len(after) != 1 || fmt.Sprint(after) != fmt.Sprint(before) {
						t.Errorf("sub-flows by worker: %v before, %v after", before, after)
					}
					for id := range w.seats() { // failures of the new generation hold back no replacement of the running one
						w.die(id)
					}
					time.Sleep(time.Second)
					if g := w.generationOf(); g["active"][1] != 1 || g["standby"][1] != 1 {
						t.Errorf("workers by state and generation: %v; expected one active and one standing by of 1", g)
					}
					w.c.Roll(Generation{Number: 3, Start: w.start})
					time.Sleep(time.Second)
					if r := w.c.Rollout(); r.Running != 3 || r.Failed != 0 {
						t.Errorf("%+v; expected 3 to run, and 2 to be forgotten", r)
					}
				})
			})
		})
	}
}

// The newest configuration wins: one that was still gathering is let go.
func TestRolloutIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			w.c.Roll(Generation{Number: 2, Start: w.start})
			time.Sleep(100 * time.Millisecond)
			w.c.Roll(Generation{Number: 3, Start: w.start})
			time.Sleep(2 * time.Second)
			if g := w.generationOf(); g["active"][3] != 1 || g["standby"][3] != 1 || len(g) != 2 {
				t.Errorf("workers by state and generation: %v; expected those of 3 alone", g)
			}
		})
	})
}

// A worker of the running generation that dies during a rollout is replaced as ever.
func TestDeathDuringRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			w.c.Roll(Generation{Number: 2, Start: w.start})
			time.Sleep(100 * time.Millisecond)
			for id := range w.seats() {
				w.die(id)
			}
			synctest.Wait()
			if g := w.generationOf(); g["active"][1] != 1 || w.seats()[0] != 0 {
				t.Errorf("workers by state and generation: %v; expected the one standing by to have the seat", g)
			}
			time.Sleep(2 * time.Second)
			if r := w.c.Rollout(); r.Running != 2 {
				t.Errorf("%+v; expected 2 to run", r)
			}
		})
	})
}
