package placer

import (
	"cmp"
	"math"
	"slices"
)

// Worker is a worker that can have sub-flows.
type Worker struct {
	ID       uint32  // not 0
	Capacity float64 // load at which it is busy all the time, in the unit of Problem.Loads; 0: it carries nothing, and is the last resort
	Deadline int64   // when it is replaced at the latest, in ns
}

// Problem is what a placement is made from.
type Problem struct {
	Loads   []float64 // of each sub-flow
	Present []uint32  // worker of each sub-flow, 0 for none; workers that are not among Workers count as none
	Workers []Worker
	Target  float64 // utilisation above which a worker is relieved, 0 to 1
}

const (
	// idleShare is what all sub-flows together weigh, as a share of what the workers carry at their target, beside the load that they
	// have: so those that are idle are spread too, and what begins on them meets workers evenly.
	idleShare = 0.1
	// steps is into how many steps utilisation up to the level is divided when workers are compared. Within a step the one
	// that lives longest is preferred.
	steps = 64
	// slack is how far above the fair share a worker may be where all are above their target: what is moved for less is moved back soon.
	slack = 1.1
	// newcomer is the share of the mean below which a worker is filled up by taking sub-flows from those that are not overloaded.
	newcomer = 0.5
)

// Place writes the worker of each sub-flow to placed, which has the length of p.Loads, and returns how many sub-flows have
// another worker than before; those that had none are not counted. It is deterministic.
func Place(p *Problem, placed []uint32) (moved int) {
	clear(placed)
	if len(p.Workers) == 0 {
		return 0
	}
	s := newSolver(p)
	s.keep(p.Present)
	s.fill()
	s.relieve()
	if s.level == p.Target && s.worst() > s.level && s.elephants == 0 {
		s = s.repacked()
	}
	s.fillNewcomers()
	for i, w := range s.of {
		placed[i] = s.workers[w].ID
		if p.Present[i] != 0 && p.Present[i] != placed[i] && s.index(p.Present[i]) >= 0 {
			moved++
		}
	}
	return moved
}

// solver is a placement in the making. Workers are named by their index, in the order of their IDs.
type solver struct {
	p         *Problem
	workers   []Worker
	of        []int     // worker of each sub-flow, -1 for none
	load      []float64 // of each worker
	count     []int     // sub-flows of each worker
	order     []int     // sub-flows, heaviest first
	level     float64   // utilisation that no worker should exceed
	idle      float64   // what a sub-flow weighs beside its load
	elephants int       // sub-flows that no worker carries at that level
}

func newSolver(p *Problem) *solver {
	s := &solver{p: p, workers: slices.Clone(p.Workers), of: make([]int, len(p.Loads)), load: make([]float64, len(p.Workers)), count: make([]int, len(p.Workers))}
	slices.SortFunc(s.workers, func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
	total := 0.0
	for _, w := range s.workers {
		total += max(w.Capacity, 0)
	}
	if total == 0 {
		total = 1
	}
	for i := range s.workers { // one that carries nothing still has to be compared with others
		s.workers[i].Capacity = max(s.workers[i].Capacity, 1e-6*total/float64(len(s.workers)))
	}
	s.order = make([]int, len(p.Loads))
	for i := range s.order {
		s.order[i] = i
		s.of[i] = -1
	}
	slices.SortStableFunc(s.order, func(a, b int) int { return cmp.Compare(p.Loads[b], p.Loads[a]) })
	s.idle = idleShare * p.Target * total / float64(max(len(p.Loads), 1))
	s.setLevel()
	return s
}

// setLevel finds the utilisation to aim for: the target, or what an even share comes to where that is more. Elephants are counted out,
// each with the worker that it fills.
func (s *solver) setLevel() {
	byCapacity := slices.Clone(s.workers)
	slices.SortStableFunc(byCapacity, func(a, b Worker) int { return cmp.Compare(b.Capacity, a.Capacity) })
	load, capacity := 0.0, 0.0
	for _, l := range s.p.Loads {
		load += l
	}
	for _, w := range byCapacity {
		capacity += w.Capacity
	}
	s.level = s.p.Target
	for n := 0; n < len(byCapacity); n++ {
		s.level = s.p.Target
		if fair := load / capacity; fair > s.level {
			s.level = fair * slack
		}
		if n >= len(s.order) || n == len(byCapacity)-1 || s.p.Loads[s.order[n]] <= s.level*byCapacity[n].Capacity {
			return
		}
		s.elephants++
		load -= s.p.Loads[s.order[n]]
		capacity -= byCapacity[n].Capacity
	}
}

func (s *solver) index(id uint32) int {
	i, ok := slices.BinarySearchFunc(s.workers, id, func(w Worker, id uint32) int { return cmp.Compare(w.ID, id) })
	if !ok {
		return -1
	}
	return i
}

func (s *solver) give(sub, to int) {
	if from := s.of[sub]; from >= 0 {
		s.load[from] -= s.p.Loads[sub]
		s.count[from]--
	}
	s.of[sub] = to
	s.load[to] += s.p.Loads[sub]
	s.count[to]++
}

// used is the utilisation of a worker by load alone.
func (s *solver) used(w int) float64 { return s.load[w] / s.workers[w].Capacity }

// weight is its utilisation by load and idle sub-flows.
func (s *solver) weight(w int) float64 {
	return (s.load[w] + float64(s.count[w])*s.idle) / s.workers[w].Capacity
}

// worst is the utilisation of the busiest worker.
func (s *solver) worst() float64 {
	u := 0.0
	for w := range s.workers {
		u = max(u, s.used(w))
	}
	return u
}

// keep leaves sub-flows where they are.
func (s *solver) keep(present []uint32) {
	for i, id := range present {
		if id == 0 {
			continue
		}
		if w := s.index(id); w >= 0 {
			s.give(i, w)
		}
	}
}

// fill gives every sub-flow without a worker to one, heaviest first.
func (s *solver) fill() {
	for _, i := range s.order {
		if s.of[i] < 0 {
			s.give(i, s.receiver(s.p.Loads[i], -1))
		}
	}
}

// receiver is the worker that has most room for load: of those in the same step of utilisation the one that lives longest.
func (s *solver) receiver(load float64, but int) int {
	best, bestStep := -1, 0.0
	for w := range s.workers {
		if w == but {
			continue
		}
		step := math.Floor((s.weight(w) + (load+s.idle)/s.workers[w].Capacity) / s.level * steps)
		if best < 0 || step < bestStep || step == bestStep && s.workers[w].Deadline > s.workers[best].Deadline {
			best, bestStep = w, step
		}
	}
	return best
}

// fits reports whether w stays within the level with load more.
func (s *solver) fits(w int, load float64) bool {
	return s.load[w]+load <= s.level*s.workers[w].Capacity*(1+1e-9)
}
