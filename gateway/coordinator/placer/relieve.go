package placer

import (
	"cmp"
	"slices"
)

// relieve takes sub-flows from workers above the level, busiest first.
func (s *solver) relieve() {
	donors := make([]int, len(s.workers))
	for w := range donors {
		donors[w] = w
	}
	slices.SortStableFunc(donors, func(a, b int) int { return cmp.Compare(s.used(b), s.used(a)) })
	for _, w := range donors {
		if s.fits(w, 0) {
			continue
		}
		s.relieveOne(w)
	}
}

// relieveOne moves as few sub-flows as bring w to the level: the lightest one that suffices by itself, else the heaviest that
// another worker has room for. One that is over because of an elephant keeps that one alone.
func (s *solver) relieveOne(w int) {
	var own []int // heaviest first
	for _, i := range s.order {
		if s.of[i] == w {
			own = append(own, i)
		}
	}
	elephant := len(own) > 0 && s.p.Loads[own[0]] > s.level*s.workers[w].Capacity
	for !s.fits(w, 0) {
		i, to := s.choose(w, own, s.load[w]-s.level*s.workers[w].Capacity)
		if i < 0 {
			break
		}
		s.give(own[i], to)
		own = slices.Delete(own, i, i+1)
	}
	if !elephant || s.fits(w, 0) || len(s.workers) == 1 {
		return
	}
	for _, i := range own[1:] { // what is idle goes too: whoever begins on it should not meet the elephant
		if to := s.receiver(s.p.Loads[i], w); s.fits(to, s.p.Loads[i]) {
			s.give(i, to)
		}
	}
}

// choose returns which of own is to leave w, and for which worker; -1 if no move helps.
func (s *solver) choose(w int, own []int, excess float64) (i, to int) {
	suffices := len(own) // own[:suffices] are enough, each by itself
	for suffices > 0 && s.p.Loads[own[suffices-1]] < excess {
		suffices--
	}
	for i := suffices - 1; i >= 0; i-- {
		if to := s.receiver(s.p.Loads[own[i]], w); to >= 0 && s.fits(to, s.p.Loads[own[i]]) {
			return i, to
		}
	}
	for i := suffices; i < len(own) && s.p.Loads[own[i]] > 0; i++ {
		if to := s.receiver(s.p.Loads[own[i]], w); to >= 0 && s.fits(to, s.p.Loads[own[i]]) {
			return i, to
		}
	}
	// Nothing fits. A move that leaves the other one clearly less busy than w is now still shares the load better.
	for i := range own {
		l := s.p.Loads[own[i]]
		if l == 0 {
			break
		}
		if to := s.receiver(l, w); to >= 0 && (s.load[to]+l)/s.workers[to].Capacity < s.used(w)/slack {
			return i, to
		}
	}
	return -1, -1
}

// repacked is a placement from nothing, heaviest first, if that keeps the level where moving little did not; else s.
func (s *solver) repacked() *solver {
	r := newSolver(s.p)
	r.fill()
	if r.worst() > r.level {
		return s
	}
	return r
}

// fillNewcomers gives workers that have next to nothing their share, heaviest first, taken from the busiest.
func (s *solver) fillNewcomers() {
	total, capacity := 0.0, 0.0
	for w := range s.workers {
		total += s.weight(w) * s.workers[w].Capacity
		capacity += s.workers[w].Capacity
	}
	mean := total / capacity
	var queues [][]int // sub-flows of each worker, heaviest first
	for w := range s.workers {
		fair := float64(len(s.of)) * s.workers[w].Capacity / capacity
		if s.weight(w) >= newcomer*mean || float64(s.count[w]) >= newcomer*fair {
			continue
		}
		if queues == nil {
			queues = make([][]int, len(s.workers))
			for _, i := range s.order {
				queues[s.of[i]] = append(queues[s.of[i]], i)
			}
		}
		s.fillOne(w, mean, queues)
	}
}

func (s *solver) fillOne(w int, mean float64, queues [][]int) {
	room := func() float64 { return (mean - s.weight(w)) * s.workers[w].Capacity }
	for room() >= s.idle {
		donor := -1
		for d := range s.workers {
			if d != w && len(queues[d]) > 0 && s.weight(d) > mean && (donor < 0 || s.weight(d) > s.weight(donor)) {
				donor = d
			}
		}
		if donor < 0 {
			return
		}
		i := queues[donor][0]
		queues[donor] = queues[donor][1:]
		if l := s.p.Loads[i]; l+s.idle <= room() && s.fits(w, l) && s.of[i] == donor {
			s.give(i, w)
		}
	}
}
