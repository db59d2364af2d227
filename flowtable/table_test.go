package flowtable

import (
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
)

func key(n uint64) *packet.Key { return &packet.Key{0, n, 0, ^n, n << 32, 0} }

func TestAFreshEntryIsEmpty(t *testing.T) {
	tab := New(Config{Flows: 4, IdleNS: 100})
	idx, fresh := tab.Get(key(1), 5)
	if !fresh || idx == None {
		t.Fatalf("Get of a new key = %d, %v; want an index, true", idx, fresh)
	}
	e := tab.Entry(idx)
	if e.Key != *key(1) || e.Seen != 5 || e.Head != [2]uint32{None, None} || e.Tail != e.Head || e.InFlight != 0 {
		t.Errorf("fresh entry is %+v", e)
	}
	e.Chain, e.SubFlow, e.Flags = 3, 99, 1
	again, fresh := tab.Get(key(1), 50)
	if again != idx || fresh || e.Chain != 3 || e.SubFlow != 99 || e.Seen != 50 {
		t.Errorf("second Get = %d, %v with %+v; want the same entry as it was left", again, fresh, e)
	}
	if got := tab.Find(key(1)); got != idx {
		t.Errorf("Find = %d, want %d", got, idx)
	}
	if got := tab.Find(key(2)); got != None {
		t.Errorf("Find of an unknown key = %d, want None", got)
	}
}

func TestIdleFlowsStartAgainUnlessInFlight(t *testing.T) {
	tab := New(Config{Flows: 4, IdleNS: 100})
	idx, _ := tab.Get(key(1), 0)
	e := tab.Entry(idx)
	gen := e.Gen
	e.Chain, e.InFlight = 7, 1
	if _, fresh := tab.Get(key(1), 1000); fresh || e.Chain != 7 || e.Gen != gen {
		t.Errorf("an idle flow with a packet in flight was started again: fresh %v, %+v", fresh, e)
	}
	e.InFlight = 0
	got, fresh := tab.Get(key(1), 2000)
	if got != idx || !fresh || e.Chain != 0 || e.Gen == gen {
		t.Errorf("idle flow: Get = %d, %v, %+v; want the entry reset with another generation", got, fresh, e)
	}
	if tab.Expired() != 1 || tab.Len() != 1 {
		t.Errorf("expired %d, len %d; want 1, 1", tab.Expired(), tab.Len())
	}
}

func TestFullTable(t *testing.T) {
	tab := New(Config{Flows: 8, IdleNS: 1000})
	for i := range uint64(8) {
		idx, _ := tab.Get(key(i), int64(i))
		tab.Entry(idx).InFlight = 1
	}
	if idx, fresh := tab.Get(key(100), 10); idx != None || fresh || tab.Full() != 1 {
		t.Fatalf("Get with all in flight = %d, %v, full %d; want None, false, 1", idx, fresh, tab.Full())
	}
	tab.Entry(tab.Find(key(5))).InFlight = 0
	tab.Entry(tab.Find(key(2))).InFlight = 0
	idx, fresh := tab.Get(key(100), 10)
	if idx == None || !fresh || tab.Evicted() != 1 {
		t.Fatalf("Get with two at rest = %d, %v, evicted %d", idx, fresh, tab.Evicted())
	}
	if tab.Find(key(2)) != None || tab.Find(key(5)) == None {
		t.Error("the flow given up is not the one idle longest of those at rest")
	}
}

func TestOverflowEntriesAreApart(t *testing.T) {
	tab := New(Config{Flows: 8})
	a, b := tab.Overflow(0), tab.Overflow(Overflows-1)
	if int(a) < tab.Cap() || b != a+Overflows-1 || tab.Overflow(Overflows) != a {
		t.Fatalf("overflow entries %d to %d with Cap %d", a, b, tab.Cap())
	}
	e := tab.Entry(b)
	if e.Head != [2]uint32{None, None} || e.SubFlow != Overflows-1 {
		t.Errorf("overflow entry is %+v", e)
	}
	if tab.Len() != 0 || tab.Expire(1<<62, 1<<20) != 0 {
		t.Error("overflow entries count or expire")
	}
}

// The model is a map. It can't know whom a full table gives up, so it learns that from Find; what it checks is that
// entries with packets in flight stay, that nothing vanishes for no reason, and that no entry is two flows'.
func TestAgainstMap(t *testing.T) {
	type flow struct {
		idx, gen uint32
		seen     int64
		inFlight uint32
	}
	for _, size := range []int{1, 3, 16, 100, 1000} {
		rng := rand.New(rand.NewPCG(1, uint64(size)))
		idle := int64(500 + 10*size)
		tab := New(Config{Flows: size, IdleNS: idle, Seed: rng.Uint64()})
		model := map[packet.Key]*flow{}
		now := int64(0)
		for step := range 30_000 {
			now += int64(rng.IntN(5))
			if rng.IntN(1000) == 0 {
				now += idle
			}
			k := key(uint64(rng.IntN(size * 2)))
			switch op := rng.IntN(20); {
			case op < 14:
				before := tab.Evicted() + tab.Expired()
				idx, fresh := tab.Get(k, now)
				m := model[*k]
				switch {
				case idx == None:
					if m != nil || tab.Len() != size {
						t.Fatalf("size %d step %d: None for a known flow or with room: %v, len %d", size, step, m, tab.Len())
					}
				case m != nil && (now-m.seen <= idle || m.inFlight > 0):
					if fresh || idx != m.idx || tab.Entry(idx).Gen != m.gen {
						t.Fatalf("size %d step %d: known flow = %d, %v; want %d", size, step, idx, fresh, m.idx)
					}
					m.seen = now
				case !fresh:
					t.Fatalf("size %d step %d: a flow the model does not have is not fresh", size, step)
				default:
					delete(model, *k)
					if tab.Evicted()+tab.Expired() > before {
						dropGone(t, tab, func(yield func(packet.Key, uint32)) {
							for k, f := range model {
								yield(k, f.inFlight)
							}
						}, func(k packet.Key) { delete(model, k) })
					}
					model[*k] = &flow{idx: idx, gen: tab.Entry(idx).Gen, seen: now}
				}
			case op < 17:
				if m := model[*k]; m != nil {
					m.inFlight ^= 1
					tab.Entry(m.idx).InFlight = m.inFlight
				}
			default:
				n := tab.Expire(now, rng.IntN(size+1))
				gone := 0
				for k, f := range model {
					if tab.Find(&k) == None {
						if now-f.seen <= idle || f.inFlight > 0 {
							t.Fatalf("size %d step %d: Expire forgot a live flow %+v", size, step, f)
						}
						delete(model, k)
						gone++
					}
				}
				if gone != n {
					t.Fatalf("size %d step %d: Expire says %d, the model lost %d", size, step, n, gone)
				}
			}
			if tab.Len() != len(model) {
				t.Fatalf("size %d step %d: Len %d, model %d", size, step, tab.Len(), len(model))
			}
		}
		if size > 1 && (tab.Evicted() == 0 || tab.Expired() == 0) {
			t.Errorf("size %d: the test met no eviction (%d) or no expiry (%d)", size, tab.Evicted(), tab.Expired())
		}
	}
}

func dropGone(t *testing.T, tab *Table, each func(func(packet.Key, uint32)), del func(packet.Key)) {
	t.Helper()
	gone := 0
	each(func(k packet.Key, inFlight uint32) {
		if tab.Find(&k) == None {
			if inFlight > 0 {
				t.Fatal("a flow with packets in flight was given up")
			}
			del(k)
			gone++
		}
	})
	if gone > 1 {
		t.Fatalf("one Get gave up %d flows", gone)
	}
}

// getBurst looks keys up as a shard does: their hashes, then all that is read for them, then each in turn.
func getBurst(tab *Table, keys []packet.Key, now int64, hashes []uint64, found func(i int, idx uint32, fresh bool)) {
	for i := range keys {
		hashes[i] = tab.Hash(&keys[i])
	}
	tab.Prefetch(hashes[:len(keys)])
	for i := range keys {
		idx, fresh := tab.GetHashed(&keys[i], hashes[i], now)
		found(i, idx, fresh)
	}
}

func TestBurstIsGetInTurn(t *testing.T) {
	one := New(Config{Flows: 50, IdleNS: 300, Seed: 3})
	two := New(Config{Flows: 50, IdleNS: 300, Seed: 3})
	rng := rand.New(rand.NewPCG(2, 2))
	for round := range int64(2000) {
		keys := make([]packet.Key, rng.IntN(MaxBurst+1))
		for i := range keys {
			keys[i] = *key(uint64(rng.IntN(120)))
		}
		getBurst(two, keys, round*10, make([]uint64, MaxBurst), func(i int, idx uint32, fresh bool) {
			wantIdx, wantFresh := one.Get(&keys[i], round*10)
			if idx != wantIdx || fresh != wantFresh {
				t.Fatalf("round %d key %d: burst says %d %v, Get %d %v", round, i, idx, fresh, wantIdx, wantFresh)
			}
		})
	}
}

func TestNothingAllocates(t *testing.T) {
	tab := New(Config{Flows: 100, IdleNS: 50})
	keys := make([]packet.Key, MaxBurst)
	hashes := make([]uint64, MaxBurst)
	now, n := int64(0), uint64(0)
	if a := testing.AllocsPerRun(1000, func() {
		for i := range keys {
			keys[i] = *key(n % 777)
			n++
		}
		now++
		getBurst(tab, keys, now, hashes, func(int, uint32, bool) {})
		tab.Get(key(n), now)
		tab.Expire(now, 10)
	}); a != 0 {
		t.Errorf("%v allocations, want 0", a)
	}
	if tab.Evicted() == 0 {
		t.Error("the loop evicted nothing")
	}
}

func TestMemory(t *testing.T) {
	tab := New(Config{Flows: 1 << 20})
	if per := tab.Bytes() / tab.Cap(); per > 120 {
		t.Errorf("%d bytes a flow, want at most 120", per)
	}
}
