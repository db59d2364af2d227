package state

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A full table gives up what a naive model says: the flow that came first into the lowest class there is, and an established one only where there
// is none of a lower class; then one that is among the older half of the silent.
func TestEvictionAgainstModel(t *testing.T) {
	type flow struct {
		key   int
		class Class
		since int // step in which it came into the class
		seen  int64
	}
	for _, size := range []int{1, 8, 60} {
		rng := rand.New(rand.NewPCG(5, uint64(size)))
		tab := NewTable(size, 1<<60, 1)
		var model []flow
		var gone []int
		tab.OnEvict(func(f uint32) { gone = append(gone, int(tab.Key(f)[1])) })
		find := func(k int) int { return slices.IndexFunc(model, func(f flow) bool { return f.key == k }) }
		var met [NumClasses]uint64
		for step := range 30_000 {
			now := int64(step)
			tab.NewBatch()
			k := rng.IntN(size * 3 / 2)
			gone = gone[:0]
			full := len(model) == size
			h, fresh := tab.Get(key(k), now)
			if h == None {
				t.Fatalf("size %d step %d: no room", size, step)
			}
			if fresh {
				if full {
					want := slices.MinFunc(model, func(a, b flow) int {
						if a.class != b.class {
							return int(a.class) - int(b.class)
						}
						if a.class == Established {
							return int(a.seen - b.seen)
						}
						return a.since - b.since
					})
					if len(gone) != 1 || gone[0] != want.key {
						t.Fatalf("size %d step %d: gave up %v, expected %+v", size, step, gone, want)
					}
					met[want.class]++
					model = slices.Delete(model, find(want.key), find(want.key)+1)
				}
				model = append(model, flow{k, Unanswered, step, now})
			}
			f := &model[find(k)]
			f.seen = now
			if rng.IntN(3) == 0 {
				if c := Class(rng.IntN(int(NumClasses))); c != f.class {
					f.class, f.since = c, step
				}
			}
			tab.SetClass(h, f.class)
			if tab.Class(h) != f.class {
				t.Fatalf("size %d step %d: class %v, expected %v", size, step, tab.Class(h), f.class)
			}
			if rng.IntN(20) == 0 {
				i := rng.IntN(len(model))
				tab.NewBatch()
				tab.Delete(tab.Find(key(model[i].key)))
				model = slices.Delete(model, i, i+1)
			}
		}
		for c, n := range met {
			if tab.Evicted(Class(c)) != n {
				t.Errorf("size %d: %d %v flows evicted, the model says %d", size, tab.Evicted(Class(c)), Class(c), n)
			}
		}
	}
}

// Sweep forgets what is over and nothing else, and comes round to every flow.
func TestSweep(t *testing.T) {
	tab := NewTable(100, 1<<60, 1)
	for i := range 100 {
		tab.Get(key(i), int64(i))
	}
	tab.NewBatch()
	held, _ := tab.Get(key(3), 3)
	asked := map[uint32]bool{}
	gone := 0
	for range 10 {
		gone += tab.Sweep(10, 200, 150, func(f uint32) bool { asked[f] = true; return tab.Key(f)[1]%2 == 1 })
	}
	if len(asked) != 49 || asked[held] { // those silent for more than 150, without the held one
		t.Errorf("asked about %d flows", len(asked))
	}
	if gone != 24 || tab.Len() != 76 || tab.Find(key(3)) == None || tab.Find(key(5)) != None || tab.Find(key(51)) == None {
		t.Errorf("%d went, %d stay", gone, tab.Len())
	}
}

// A flood of flows that nobody answers costs no conversation, however long it lasts.
func TestFloodCostsNoConversation(t *testing.T) {
	const size, conversations = 1 << 12, 1000
	tab := NewTable(size, 1<<60, 1)
	for i := range conversations {
		f, _ := tab.Get(key(i), 0)
		tab.SetClass(f, Established)
	}
	for i := range 200_000 {
		tab.NewBatch()
		f, _ := tab.Get(key(conversations+i), int64(i+1))
		if i%3 == 0 {
			tab.SetClass(f, Answered)
		}
	}
	for i := range conversations {
		if tab.Find(key(i)) == None {
			t.Fatalf("conversation %d is lost", i)
		}
	}
	if tab.Evicted(Established) != 0 || tab.Evicted(Unanswered) == 0 || tab.Evicted(Answered) == 0 {
		t.Errorf("evicted %d unanswered, %d answered, %d established", tab.Evicted(Unanswered), tab.Evicted(Answered), tab.Evicted(Established))
	}
}

func BenchmarkFlood(b *testing.B) {
	tab := NewTable(1<<16, 1<<60, 1)
	for i := range 1 << 15 {
		f, _ := tab.Get(key(i), 0)
		tab.SetClass(f, Established)
	}
	n := 0
	for b.Loop() {
		n++
		if n&31 == 0 {
			tab.NewBatch()
		}
		tab.Get(key(1<<16+n), int64(n))
	}
}
