package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granule-nf/granule/gateway/dataplane"
)

// cloud is a Lambda and a set of shards that the test plays.
type cloud struct {
	t  *testing.T
	c  *Coordinator
	mu sync.Mutex

	running map[uint32]chan error // invocations, by worker
	started []uint32
	refuse  error // what a start gives at once
	mute    bool  // workers are started but do not join
	places  []*dataplane.Placement
	ended   map[uint32]bool // disconnected workers
	measure func() []dataplane.Measure
	idle    bool // workers judge nothing
	hold    bool // shards hand nothing off
}

func newCloud(t *testing.T, change func(*Config)) *cloud {
	cfg := Defaults()
	cfg.Pools = []string{"edge/0"}
	if change != nil {
		change(&cfg)
	}
	w := &cloud{t: t, running: map[uint32]chan error{}, ended: map[uint32]bool{}}
	c, err := New(cfg, w.start, w, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.c = c
	return w
}

// maxStarts is above what any test here has reason for: starts that are refused at once take no time, so without back-off a test
// would not end.
const maxStarts = 2000

func (w *cloud) start(_ context.Context, worker uint32, _ int) error {
	w.mu.Lock()
	w.started = append(w.started, worker)
	if n := len(w.started); n > maxStarts {
		defer w.mu.Unlock()
		if n == maxStarts+1 {
			w.t.Errorf("%d workers were started by %v: nothing holds starts back", n, time.Now())
		}
		return ErrFatal
	}
	if w.refuse != nil {
		defer w.mu.Unlock()
		return w.refuse
	}
	end := make(chan error, 1)
	w.running[worker] = end
	mute := w.mute
	w.mu.Unlock()
	time.Sleep(200 * time.Millisecond) // a cold start
	if !mute {
		for range w.c.cfg.Conns {
			w.c.Joined(worker)
		}
	}
	return <-end
}

// Place implements Shards.
func (w *cloud) Place(p *dataplane.Placement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.places) > 0 && !w.hold { // all is handed off at once
		there, had := map[uint32]bool{}, map[uint32]bool{}
		for i := range p.Pools {
			for sub := range p.Pools[i] {
				there[p.Pools[i][sub]] = true
				had[w.places[len(w.places)-1].Pools[i][sub]] = true
			}
		}
		for id := range had {
			if id != 0 && !there[id] {
				for range w.c.cfg.Conns {
					w.c.Released(id)
				}
			}
		}
	}
	w.places = append(w.places, p)
}

// Measure implements Shards: the test says what is counted.
func (w *cloud) Measure(done func([]dataplane.Measure)) {
	w.mu.Lock()
	m := w.measure
	w.mu.Unlock()
	if m != nil {
		done(m())
	}
}

// Disconnect implements Shards: a worker without connections ends.
func (w *cloud) Disconnect(worker uint32, _ string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended[worker] = true
	if end, ok := w.running[worker]; ok {
		delete(w.running, worker)
		end <- nil
	}
}

// die is kill -9: the connection breaks, then the invocation returns an error.
func (w *cloud) die(worker uint32) {
	w.c.Lost(worker, !w.idle, "eof")
	w.mu.Lock()
	end := w.running[worker]
	delete(w.running, worker)
	w.mu.Unlock()
	if end != nil {
		end <- errors.New("Unhandled: exited")
	}
}

// seats returns who has which sub-flow in the newest placement.
func (w *cloud) seats() map[uint32]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[uint32]int{}
	if len(w.places) > 0 {
		for _, id := range w.places[len(w.places)-1].Pools[0] {
			n[id]++
		}
	}
	return n
}

func (w *cloud) run(f func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.c.Run(ctx); close(done) }()
	f()
	cancel()
	<-done
	w.mu.Lock()
	for id, end := range w.running {
		delete(w.running, id)
		end <- nil
	}
	w.mu.Unlock()
	w.c.Wait()
}

func TestFillsSeatsAndStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Seats, c.Standby, c.Conns = 3, 1, 2 })
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			seats := w.seats()
			if len(seats) != 3 || seats[0] != 0 {
				t.Errorf("sub-flows by worker: %v; expected three workers", seats)
			}
			for id, n := range seats {
				if n < dataplane.SubFlows/3*8/10 {
					t.Errorf("worker %d has %d sub-flows of %d", id, n, dataplane.SubFlows)
				}
			}
			list, n, reasons := w.c.Status()
			states := map[string]int{}
			for _, x := range list {
				states[x.State]++
			}
			if states["active"] != 3 || states["standby"] != 1 || n.Joined != 4 || len(reasons) != 0 {
				t.Errorf("states %v, joined %d, reasons %v", states, n.Joined, reasons)
			}
		})
	})
}

// The one standing by takes the seat of a dead worker within the review that hears of it, and another is started.
func TestDeathIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			<-w.c.Ready()
			time.Sleep(time.Second)
			var dead uint32
			for id := range w.seats() {
				dead = id
			}
			at := time.Now()
			w.die(dead)
			synctest.Wait()
			if took := time.Since(at); took != 0 {
				t.Errorf("taking over took %v of waiting", took)
			}
			seats := w.seats()
			if seats[dead] != 0 || seats[0] != 0 || len(seats) != 1 {
				t.Errorf("sub-flows by worker after worker %d died: %v", dead, seats)
			}
			time.Sleep(time.Second)
			_, n, _ := w.c.Status()
			if n.Lost != 1 || n.HandOffs != 1 || n.Joined != 3 {
				t.Errorf("lost %d, hand-offs %d, joined %d; expected 1, 1, 3", n.Lost, n.HandOffs, n.Joined)
			}
		})
	})
}

// A death is counted once, also when the end of the invocation is heard of before that of the connections. An invocation that came
// to its end in peace, as all do when the gateway stops, is no death.
func TestDeathIsCountedOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want uint64
	}{{"it dies", errors.New("Unhandled: exited"), 1}, {"it ends", nil, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newCloud(t, nil)
				w.run(func() {
					<-w.c.Ready()
					time.Sleep(time.Second)
					var dead uint32
					for id := range w.seats() {
						dead = id
					}
					w.mu.Lock()
					end := w.running[dead]
					delete(w.running, dead)
					w.mu.Unlock()
					end <- tt.err
					synctest.Wait()
					w.c.Lost(dead, true, "eof")
					time.Sleep(time.Second)
					if _, n, _ := w.c.Status(); n.Lost != tt.want || n.Failed != tt.want || n.HandOffs != 1 {
						t.Errorf("lost %d, failed %d, hand-offs %d; expected %d, %d and 1", n.Lost, n.Failed, n.HandOffs, tt.want, tt.want)
					}
				})
			})
		})
	}
}

// Over an hour of 15-minute lifetimes every worker is replaced between 12 and 13.1 minutes, and no seat is ever empty.
func TestReplacedBeforeTheLifetimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Seats = 2 })
		w.run(func() {
			<-w.c.Ready()
			for range 3600 {
				time.Sleep(time.Second)
				if n := w.seats()[0]; n != 0 {
					t.Fatalf("%d sub-flows have no worker", n)
				}
				list, _, _ := w.c.Status()
				for _, x := range list {
					if age := time.Since(x.Since); x.State == "active" && age > 13*time.Minute+10*time.Second {
						t.Fatalf("worker %d is %v old and active", x.ID, age)
					}
				}
			}
			if _, n, _ := w.c.Status(); n.HandOffs < 8 || n.Lost != 0 {
				t.Errorf("%d hand-offs in an hour and %d lost workers", n.HandOffs, n.Lost)
			}
		})
	})
}

// Workers that were started together do not end together: their replacements would all be cold at once.
func TestLifetimesAreStaggered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Seats, c.Standby = 8, 0 })
		w.run(func() {
			<-w.c.Ready()
			list, _, _ := w.c.Status()
			ends := map[time.Duration]uint32{}
			for _, x := range list {
				life := x.Ends.Sub(x.Since)
				if other, twice := ends[life]; twice {
					t.Errorf("workers %d and %d are both replaced after %v", other, x.ID, life)
				}
				ends[life] = x.ID
				if life < w.c.cfg.Lifetime*80/100 || life > w.c.cfg.Lifetime*87/100 {
					t.Errorf("worker %d is replaced after %v of %v; 80 to 87 %% are expected", x.ID, life, w.c.cfg.Lifetime)
				}
			}
			if len(list) != 8 {
				t.Errorf("%d workers; 8 are expected", len(list))
			}
		})
	})
}

func TestThrottledBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.refuse = fmt.Errorf("invoke: %w", ErrThrottled)
		w.run(func() {
			time.Sleep(time.Minute)
			w.mu.Lock()
			n := len(w.started)
			w.mu.Unlock()
			if n > 40 || n < 8 {
				t.Errorf("%d starts in a minute of throttling; expected a few, further and further apart", n)
			}
			_, c, reasons := w.c.Status()
			if c.Throttled == 0 || len(reasons) != 1 {
				t.Errorf("throttled %d, reasons %v", c.Throttled, reasons)
			}
			w.mu.Lock()
			w.refuse = nil
			w.mu.Unlock()
			time.Sleep(11 * time.Second)
			select {
			case <-w.c.Ready():
			default:
				t.Error("not ready 11 s after the throttling ended")
			}
		})
	})
}

func TestFatalStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.refuse = fmt.Errorf("invoke: no such function: %w", ErrFatal)
		w.run(func() {
			time.Sleep(time.Hour)
			w.mu.Lock()
			n := len(w.started)
			w.mu.Unlock()
			if n != 2 {
				t.Errorf("%d starts of a function that does not exist; expected the first two only", n)
			}
			if _, _, reasons := w.c.Status(); len(reasons) != 2 {
				t.Errorf("reasons %v; expected the empty seat and why nothing is started", reasons)
			}
		})
	})
}

func TestLateWorkerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, func(c *Config) { c.Standby = 0 })
		w.mute = true
		w.run(func() {
			time.Sleep(31 * time.Second)
			w.mu.Lock()
			gone := w.ended[1]
			w.mute = false
			w.mu.Unlock()
			if _, n, _ := w.c.Status(); n.Late != 1 || !gone {
				t.Errorf("late %d, let go %v; expected worker 1 to be given up after 30 s", n.Late, gone)
			}
			<-w.c.Ready()
			if w.seats()[1] != 0 {
				t.Error("the worker that was given up has a seat")
			}
		})
	})
}

// Workers that announce their end as soon as they have joined (a function whose timeout is too short, a broken artifact) are backed off
// as those that die.
func TestDrainingAtOnceIsBackedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCloud(t, nil)
		w.run(func() {
			for range 60 * 20 {
				time.Sleep(50 * time.Millisecond)
				all, _, _ := w.c.Status()
				for _, x := range all {
					if x.State == "standby" || x.State == "active" {
						w.c.Draining(x.ID)
					}
				}
			}
			if _, n, _ := w.c.Status(); n.Invoked > 60 {
				t.Errorf("%d invocations in a minute", n.Invoked)
			}
		})
	})
}
