package state

import (
	"math/rand/v2"
	"testing"
)

func key(n int) *[6]uint64 { return &[6]uint64{0, uint64(n), 0, 7, uint64(n) << 48, 0} }

func evictions(t *Table) (n uint64) {
	for c := range NumClasses {
		n += t.Evicted(c)
	}
	return n
}

func TestTableAgainstMap(t *testing.T) {
	for _, size := range []int{1, 2, 9, 100, 1000} {
		rng := rand.New(rand.NewPCG(3, uint64(size)))
		idle := int64(100 + 8*size)
		tab := NewTable(size, idle, rng.Uint64())
		model := map[[6]uint64]uint32{}
		seen := map[[6]uint64]int64{}
		byFlow := map[uint32][6]uint64{}
		var evicted []uint32
		tab.OnEvict(func(flow uint32) { evicted = append(evicted, flow) })
		forget := func() {
			for _, f := range evicted {
				k := byFlow[f]
				delete(model, k)
				delete(seen, k)
				delete(byFlow, f)
			}
			evicted = evicted[:0]
		}
		now := idle
		for step := range 20_000 {
			now += int64(rng.IntN(4))
			k := key(rng.IntN(2*size + 2))
			tab.NewBatch()
			switch rng.IntN(12) {
			case 0:
				if f := tab.Find(k); f != None {
					tab.Delete(f)
					forget()
				}
			case 1:
				s := now - int64(rng.IntN(int(idle)))
				f := tab.Put(k, s)
				forget()
				model[*k], byFlow[f] = f, *k
				seen[*k] = max(seen[*k], s)
			default:
				was, known := model[*k]
				expired := known && now-seen[*k] > idle
				f, fresh := tab.Get(k, now)
				forget()
				if known && !expired && (fresh || f != was) || !known && !fresh || expired && (!fresh || f != was) {
					t.Fatalf("size %d step %d: flow %d, fresh %v; the model has %d, %v", size, step, f, fresh, was, known)
				}
				model[*k], seen[*k], byFlow[f] = f, now, *k
			}
			if tab.Len() != len(model) {
				t.Fatalf("size %d step %d: %d flows, the model has %d", size, step, tab.Len(), len(model))
			}
			if f, ok := model[*k]; tab.Find(k) != None != ok || ok && (tab.Find(k) != f || tab.Seen(f) != seen[*k] || *tab.Key(f) != *k) {
				t.Fatalf("size %d step %d: Find = %d, the model has %d, %v", size, step, tab.Find(k), f, ok)
			}
		}
		n := 0
		tab.Each(func(f uint32) {
			if byFlow[f] != *tab.Key(f) {
				t.Errorf("Each shows flow %d with another key", f)
			}
			n++
		})
		if n != len(model) || evictions(tab) == 0 {
			t.Errorf("size %d: Each shows %d of %d flows; %d were evicted", size, n, len(model), evictions(tab))
		}
	}
}

// Packets of one batch hold handles of flows until the batch is done; those must not come to mean other flows.
func TestFlowsOfABatchStay(t *testing.T) {
	tab := NewTable(8, 100, 1)
	for batch := range 50 {
		tab.NewBatch()
		held := map[uint32]int{}
		for i := range 12 {
			n := batch*5 + i
			f, _ := tab.Get(key(n), int64(batch))
			if i < 8 == (f == None) {
				t.Fatalf("batch %d flow %d: handle %d", batch, i, f)
			}
			if other, taken := held[f]; f != None && taken {
				t.Fatalf("batch %d: flow %d got the handle of flow %d", batch, n, other)
			}
			held[f] = n
		}
	}
	tab.NewBatch()
	a, _ := tab.Get(key(1), 1000)
	if b, fresh := tab.Get(key(1), 2000); b != a || fresh {
		t.Error("a flow was forgotten between two packets of one batch")
	}
}

func TestTableWithoutRoom(t *testing.T) {
	tab := NewTable(0, 100, 1)
	if f, fresh := tab.Get(key(1), 1); f != None || fresh {
		t.Errorf("Get = %d, %v; want None", f, fresh)
	}
	if f := tab.Put(key(1), 1); f != None {
		t.Errorf("Put = %d, want None", f)
	}
}

func TestNothingAllocates(t *testing.T) {
	tab := NewTable(64, 50, 1)
	buf := make([]byte, 0, 4096)
	n := 0
	if a := testing.AllocsPerRun(1000, func() {
		n++
		tab.NewBatch()
		f, _ := tab.Get(key(n%200), int64(n))
		e := Entry{Kind: Flow, Key: *tab.Key(f), Data: buf[:10]}
		buf = Append(buf[:0], &e)
		r := Read(buf)
		r.Next(&e)
	}); a != 0 {
		t.Errorf("%v allocations, want 0", a)
	}
}

func BenchmarkGet(b *testing.B) {
	tab := NewTable(1<<16, 1<<60, 1)
	for i := range 1 << 16 {
		tab.Get(key(i), 0)
	}
	for i := range b.N {
		tab.Get(key(i&0xffff), 1)
	}
}
