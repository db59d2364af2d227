package coordinator

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator/placer"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/relay/wire"
)

// traffic is what a simulated shard counts: so many packets a second, evenly over the sub-flows, and workers that carry each packets a second.
type traffic struct {
	mu      sync.Mutex
	w       *cloud
	rate    float64
	each    float64
	slow    map[uint32]float64 // workers that carry this share of it
	at      time.Time
	m       dataplane.Measure
	carried map[uint32]*wire.Load
	sum     float64
}

func newTraffic(w *cloud, each float64) *traffic {
	x := &traffic{w: w, each: each, at: time.Now(), carried: map[uint32]*wire.Load{}, slow: map[uint32]float64{}}
	x.m.Stages = make([]dataplane.StageLoad, 1)
	w.measure = x.measure
	return x
}

// set changes what the traffic is like, while the coordinator looks at it.
func (x *traffic) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

func (x *traffic) measure() []dataplane.Measure {
	subs := x.w.seats()
	x.mu.Lock()
	defer x.mu.Unlock()
	took := time.Since(x.at).Seconds()
	x.at = time.Now()
	x.sum += x.rate * took / dataplane.SubFlows
	for sub := range x.m.Stages[0].Packets {
		x.m.Stages[0].Packets[sub] = uint32(x.sum * float64(1+sub%3) / 2)
	}
	x.m.Workers = x.m.Workers[:0]
	for id, n := range subs {
		if id == 0 {
			x.m.Stages[0].Waiting = 0
			if x.rate > 0 {
				x.m.Stages[0].Waiting = n
			}
			continue
		}
		each := x.each
		if s := x.slow[id]; s > 0 {
			each *= s
		}
		l := x.carried[id]
		if l == nil {
			l = &wire.Load{}
			x.carried[id] = l
		}
		packets := min(x.rate*float64(n)/dataplane.SubFlows, each) * took
		l.Packets += uint64(packets)
		l.BusyNS += uint64(packets / each * 1e9)
		l.ProcessNS = l.BusyNS
		x.m.Workers = append(x.m.Workers, dataplane.WorkerLoad{Worker: id, Load: *l, Answered: l.Packets})
	}
	return []dataplane.Measure{x.m}
}

func scaled(l placer.Limits) func(*Config) {
	return func(c *Config) { c.Scale = map[string]placer.Limits{"edge/0": l} }
}

// A stage follows its load out at once, and in after a while; nothing is without a worker meanwhile.
func TestScalesWithTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, scaled(placer.Limits{Min: 1, Max: 16, Standby: 1}))
		x := newTraffic(w, 100_000)
		w.run(func() {
			<-w.c.Ready()
			for _, tt := range []struct {
				rate float64
				wait time.Duration
				want int
			}{{50_000, 3 * time.Second, 1}, {500_000, 3 * time.Second, 8}, {500_000, time.Minute, 8}, {5_000_000, 5 * time.Second, 16}, {100_000, 30 * time.Second, 16}, {100_000, time.Minute, 2}} {
				x.set(func() { x.rate = tt.rate })
				for end := time.Now().Add(tt.wait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					if n := w.seats()[0]; n > 0 {
						t.Fatalf("%d sub-flows have no worker", n)
					}
				}
				seats := w.seats()
				if len(seats) != tt.want {
					t.Errorf("%.0f packets a second for %v: %d workers, expected %d", tt.rate, tt.wait, len(seats), tt.want)
				}
			}
			if _, n, _ := w.c.Status(); n.Lost > 0 {
				t.Errorf("%d workers were lost", n.Lost)
			}
		})
	})
}

// With min 0 an idle stage has no worker, and gets one when a packet comes.
func TestScalesToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, scaled(placer.Limits{Min: 0, Max: 4, Standby: 1}))
		x := newTraffic(w, 100_000)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(3 * time.Minute)
			if seats := w.seats(); seats[0] != dataplane.SubFlows {
				t.Fatalf("sub-flows by worker of an idle stage: %v; expected none to have one", seats)
			}
			if _, _, reasons := w.c.Status(); len(reasons) > 0 {
				t.Errorf("not ready: %v", reasons)
			}
			x.set(func() { x.rate = 10 })
			time.Sleep(time.Second)
			if seats := w.seats(); seats[0] != 0 {
				t.Errorf("a second after a packet came: %v", seats)
			}
		})
	})
}

// Fewer workers than wished for: every sub-flow has one of those that are there.
func TestThrottledBelowTheWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Seats = 4 })
		w.run(func() {
			time.Sleep(10 * time.Millisecond)
			w.mu.Lock()
			w.refuse = fmt.Errorf("invoke: %w", ErrThrottled)
			w.mu.Unlock()
			time.Sleep(time.Second)
			w.die(1)
			w.die(2)
			time.Sleep(time.Minute)
			seats := w.seats()
			if len(seats) != 3 || seats[0] != 0 {
				t.Errorf("sub-flows by worker: %v; expected three workers that have them all", seats)
			}
			if _, _, reasons := w.c.Status(); len(reasons) != 0 {
				t.Errorf("not ready: %v; expected that all flows are served", reasons)
			}
			if why := w.c.Degraded(); len(why) == 0 {
				t.Error("a missing worker is not told")
			}
		})
	})
}

// Workers that had judged packets are replaced at once, however often they are killed.
func TestKilledAgainAndAgain(t *testing.T) {
	for _, every := range []time.Duration{400 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := newCloud(t, nil)
			w.run(func() {
				<-w.c.Ready()
				time.Sleep(time.Second)
				without := time.Duration(0)
				for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
					for id := range w.seats() {
						w.die(id)
					}
					list, _, _ := w.c.Status()
					for _, x := range list {
						if x.State == "standby" && every > time.Second {
							w.die(x.ID)
						}
					}
					from := time.Now()
					for synctest.Wait(); w.seats()[0] > 0 || len(w.seats()) == 0; time.Sleep(10 * time.Millisecond) {
					}
					without = max(without, time.Since(from))
					time.Sleep(every)
				}
				if without > 300*time.Millisecond { // a cold start is 200 ms
					t.Errorf("killed every %v: sub-flows were without a worker for %v", every, without)
				}
			})
		})
	}
}

// The one that lives longest takes the place of one that was lost.
func TestLongestLivingStandbyIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Standby = 3 })
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			var best Worker
			list, _, _ := w.c.Status()
			for _, x := range list {
				if x.State == "standby" && x.Ends.After(best.Ends) {
					best = x
				}
			}
			for id := range w.seats() {
				w.die(id)
			}
			synctest.Wait()
			if seats := w.seats(); seats[best.ID] == 0 {
				t.Errorf("sub-flows by worker: %v; expected worker %d to have them, which lives longest", seats, best.ID)
			}
		})
	})
}

// A worker that is to leave keeps its connections until every shard has handed off what it has, or that takes too long.
func TestLeavingWaitsForHandOffs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Conns = 2 })
		w.hold = true
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			var old uint32
			for id := range w.seats() {
				old = id
			}
			w.c.Draining(old)
			time.Sleep(time.Second)
			if w.seats()[old] != 0 || w.gone(old) {
				t.Fatalf("worker %d has %d sub-flows, disconnected: %v; expected neither", old, w.seats()[old], w.gone(old))
			}
			w.c.Released(old)
			time.Sleep(time.Second)
			if w.gone(old) {
				t.Fatal("it was disconnected while one shard still hands off")
			}
			w.c.Released(old)
			synctest.Wait()
			if !w.gone(old) {
				t.Error("it stays though it has been released")
			}
			for id := range w.seats() {
				old = id
			}
			time.Sleep(time.Second)
			w.c.Draining(old)
			time.Sleep(leaveLimit + time.Second)
			if !w.gone(old) {
				t.Error("it stays though its hand-offs take for ever")
			}
		})
	})
}

// One of four workers that runs a tenth of the time is relieved within two seconds, then replaced.
func TestSlowWorkerIsRelievedThenReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Seats = 4 })
		x := newTraffic(w, 100_000)
		x.rate = 160_000
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(3 * time.Second)
			var slow uint32
			for id := range w.seats() {
				slow = max(slow, id)
			}
			before := w.seats()[slow]
			x.set(func() { x.slow[slow] = 0.1 })
			time.Sleep(2 * time.Second)
			if n := w.seats()[slow]; n > before/2 {
				t.Errorf("the slow worker still has %d sub-flows of %d", n, before)
			}
			time.Sleep(5 * time.Second)
			if n := w.seats()[slow]; n != 0 {
				t.Errorf("the slow worker has not been replaced: it has %d sub-flows", n)
			}
		})
	})
}
