package placer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// fleet is a simulated stage: workers of capacity 1 that take coldStart to come, live for life and are placed once a second.
type fleet struct {
	p         *Problem
	limits    Limits
	scaler    Scaler
	starts    Starts
	now       time.Time
	coldStart time.Duration
	life      time.Duration
	room      int // the platform runs no more at once; 0: any number
	coming    []time.Time
	nextID    uint32
	measured  []float64
	step      time.Duration

	seconds, least  float64 // worker-seconds used, and the least that carry the load at its target
	over, unplaced  int     // seconds in which a worker was above its capacity, or a sub-flow without one while there were some
	moved, throttle int
	worst           float64
}

func newFleet(subs int, l Limits) *fleet {
	return &fleet{step: time.Second, measured: make([]float64, subs), p: &Problem{Loads: make([]float64, subs), Present: make([]uint32, subs), Target: target}, limits: l, scaler: Scaler{Hold: DefaultHold},
		starts: Starts{Min: 100 * time.Millisecond, Max: 10 * time.Second}, now: time.Unix(1e9, 0), coldStart: 50 * time.Millisecond, life: 15 * time.Minute}
}

// turn is a turn of the coordinator, under the loads that were measured since the last.
func (f *fleet) turn() {
	f.now = f.now.Add(f.step)
	Smooth(f.p.Loads, f.measured)
	f.coming = slices.DeleteFunc(f.coming, func(at time.Time) bool {
		if at.After(f.now) {
			return false
		}
		f.nextID++
		life := f.life*80/100 + f.life*time.Duration(f.nextID*5%8)/100
		f.p.Workers = append(f.p.Workers, Worker{ID: f.nextID, Capacity: 1, Deadline: f.now.Add(life).UnixNano()})
		f.starts.Proved()
		return true
	})
	soon, staying := f.now.Add(f.coldStart+f.step), 0 // their successors come before they go
	f.p.Workers = slices.DeleteFunc(f.p.Workers, func(w Worker) bool { return w.Deadline < f.now.UnixNano() })
	for _, w := range f.p.Workers {
		if w.Deadline > soon.UnixNano() {
			staying++
		}
	}
	needed, least := Needed(f.p.Loads, 1, target), Needed(f.measured, 1, target)
	active, standby := f.scaler.Want(f.now, needed, f.limits)
	want := active + standby
	for n := f.starts.Allowed(f.now, want-staying-len(f.coming)); n > 0; n-- {
		if f.room > 0 && len(f.p.Workers)+len(f.coming) >= f.room {
			f.starts.Failed(f.now)
			f.throttle++
			break
		}
		f.starts.Started(1)
		f.coming = append(f.coming, f.now.Add(f.coldStart))
	}
	if extra := len(f.p.Workers) - want; extra > 0 { // those that end first
		slices.SortFunc(f.p.Workers, func(a, b Worker) int { return int(a.Deadline - b.Deadline) })
		f.p.Workers = f.p.Workers[extra:]
	}
	placed := make([]uint32, len(f.p.Loads))
	f.moved += Place(f.p, placed)
	f.p.Present = placed
	busy := map[uint32]float64{}
	for i, id := range placed {
		if busy[id] += f.measured[i]; id == 0 && len(f.p.Workers) > 0 {
			f.unplaced++
		}
	}
	for _, load := range busy {
		f.worst = max(f.worst, load)
		if load > 1 {
			f.over++
			break
		}
	}
	f.seconds += float64(len(f.p.Workers) + len(f.coming))
	if least = min(max(least, f.limits.Min), f.limits.Max); least > 0 {
		f.least += float64(least + f.limits.Standby)
	}
}

// spread gives the sub-flows a load of total with noise, the heaviest being skew times the mean.
func (f *fleet) spread(rnd *rand.Rand, weights []float64, total float64) {
	sum := 0.0
	for i, w := range weights {
		if f.measured[i] = w; w > 0 {
			f.measured[i] *= 0.8 + 0.4*rnd.Float64()
		}
		sum += f.measured[i]
	}
	for i := range f.measured {
		f.measured[i] *= total / sum
	}
}

// The table of ARCHITECTURE: what becomes of a stage under loads of each kind. Run with -v to print it.
func TestSimulatedFleets(t *testing.T) {
	rnd := rand.New(rand.NewPCG(21, 22))
	const subs = 1024
	even, skewed := zipf(rnd, subs, 0, 1), zipf(rnd, subs, 1, 1)
	eight := make([]float64, subs)
	for i := range 8 {
		eight[i*100] = 1
	}
	day := func(s int) float64 { return 1 + 9*math.Pow(math.Sin(math.Pi*float64(s)/2880), 2) }
	for _, tt := range []struct {
		name    string
		limits  Limits
		weights []float64
		seconds int // turns, of a second each
		step    int // or of so many
		room    int
		load    func(s int) float64 // in workers that are busy all the time
		each    func(f *fleet, s int)
		ratio   float64 // worker-seconds against the least
		over    int     // seconds with a worker above its capacity
		moves   float64 // a second
	}{
		{name: "steady, even sub-flows", limits: Limits{1, 32, 1}, weights: even, seconds: 1800, load: func(int) float64 { return 8 }, ratio: 1.05, moves: 8},
		{name: "steady, skewed (1/rank)", limits: Limits{1, 32, 1}, weights: skewed, seconds: 1800, load: func(int) float64 { return 4 }, ratio: 1.25, moves: 8},
		{name: "8 flows", limits: Limits{1, 32, 0}, weights: eight, seconds: 1800, load: func(int) float64 { return 3.6 }, ratio: 1.2, moves: 1},
		{name: "a day: 1 to 10 workers' load", limits: Limits{1, 32, 0}, weights: even, step: 30, seconds: 2880, load: day, ratio: 1.2, moves: 10},
		{name: "times ten in one second", limits: Limits{1, 32, 1}, weights: even, seconds: 600, load: func(s int) float64 {
			if s < 300 {
				return 0.6
			}
			return 6
		}, ratio: 1.1, over: 3, moves: 20},
		{name: "throttled: 6 of 12 workers", limits: Limits{1, 32, 0}, weights: even, seconds: 600, room: 6, load: func(int) float64 { return 5.2 }, ratio: 0.9, moves: 30},
		{name: "one of 8 lost every 10 s", limits: Limits{1, 32, 1}, weights: even, seconds: 600, load: func(int) float64 { return 5 }, each: func(f *fleet, s int) {
			if s%10 == 9 && len(f.p.Workers) > 0 {
				f.p.Workers = slices.Delete(f.p.Workers, 0, 1)
				f.starts.Lost()
			}
		}, ratio: 1.15, moves: 100},
		{name: "elephant of 3 workers' load", limits: Limits{1, 32, 1}, weights: even, seconds: 600, load: func(int) float64 { return 3 }, each: func(f *fleet, s int) {
			if s >= 100 {
				f.measured[99] = 3
			}
		}, ratio: 1.2, over: 600, moves: 20},
		{name: "idle, min 0", limits: Limits{0, 8, 1}, weights: even, seconds: 1800, load: func(s int) float64 {
			if s < 60 {
				return 0.5
			}
			return 0
		}, ratio: 2.5, moves: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(subs, tt.limits)
			f.room, f.step = tt.room, time.Duration(max(tt.step, 1))*time.Second
			f.coldStart = min(f.coldStart, f.step)
			var all []float64
			for s := range tt.seconds {
				f.spread(rnd, tt.weights, tt.load(s))
				if tt.each != nil {
					tt.each(f, s)
				}
				f.turn()
				all = append(all, float64(len(f.p.Workers)))
				if s == 5 {
					f.over, f.worst, f.moved = 0, 0, 0 // it has to come up first
				}
			}
			ratio, moves := f.seconds/f.least, float64(f.moved)/float64(tt.seconds)
			t.Logf("| %s | %.0f to %.0f | %.2f | %d | %.1f |", tt.name, slices.Min(all[5:]), slices.Max(all), ratio, f.over, moves)
			if ratio > tt.ratio || f.over > tt.over || f.unplaced > 0 || moves > tt.moves {
				t.Errorf("worker-seconds %.2f of the least (%.2f), %d s above capacity (%d), %d sub-flows without a worker, %.1f moves a second (%.1f)",
					ratio, tt.ratio, f.over, tt.over, f.unplaced, moves, tt.moves)
			}
		})
	}
}

// Stages whose functions need 10, 100 and 400 units a packet settle at workers in that proportion.
func TestStagesSettleInProportion(t *testing.T) {
	rnd := rand.New(rand.NewPCG(23, 24))
	var got []int
	for _, cost := range []float64{10, 100, 400} {
		f := newFleet(1024, Limits{1, 128, 0})
		weights := zipf(rnd, 1024, 0, 1)
		for range 120 {
			f.spread(rnd, weights, cost*0.0685)
			f.turn()
		}
		got = append(got, len(f.p.Workers))
	}
	if !slices.Equal(got, []int{1, 10, 40}) {
		t.Errorf("workers of the stages: %v; expected 1, 10, 40", got)
	}
}

// What fails is started further and further apart; what had proved itself and is lost is replaced at once.
func TestStarts(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := Starts{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	n := 0
	for range 6000 { // a minute of starts that fail at once
		if s.Allowed(now, 1) == 1 {
			s.Started(1)
			s.Failed(now)
			n++
		}
		now = now.Add(10 * time.Millisecond)
	}
	if n < 8 || n > 14 {
		t.Errorf("%d starts in a minute of failures", n)
	}
	s.Lost()
	s.Lost()
	if got := s.Allowed(now, 5); got != 2 {
		t.Errorf("%d starts allowed while others are held back; expected one for each of two places that lost their worker", got)
	}
	s.Started(2)
	s.Failed(now)
	if got := s.Allowed(now, 5); got != 0 {
		t.Errorf("%d more starts allowed; the free ones have been used", got)
	}
	s.Proved()
	if now = now.Add(10 * time.Second); s.Allowed(now, 5) != 5 {
		t.Error("starts are held back for longer than Max")
	}
	if s.Failed(now); s.Allowed(now.Add(100*time.Millisecond), 1) != 1 {
		t.Error("after one had proved itself the first failure holds starts back for longer than Min")
	}
}

func TestScalerIsQuickOutAndSlowIn(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := Scaler{Hold: time.Minute}
	l := Limits{0, 8, 2}
	for _, tt := range []struct{ after, needed, active, standby int }{
		{1, 0, 0, 0}, {1, 3, 3, 2}, {1, 20, 8, 2}, {1, 1, 8, 2}, {58, 2, 8, 2}, {3, 1, 2, 2}, {50, 0, 2, 2}, {61, 0, 0, 0}, {1, 1, 1, 2},
	} {
		now = now.Add(time.Duration(tt.after) * time.Second)
		if a, b := s.Want(now, tt.needed, l); a != tt.active || b != tt.standby {
			t.Errorf("%v: %d needed: %d and %d; expected %d and %d", now.Sub(time.Unix(1e9, 0)), tt.needed, a, b, tt.active, tt.standby)
		}
	}
}
