package replica

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/state"
)

type id struct {
	key [6]uint64
	nf  uint8
}

func exported(t *testing.T, r *Replica, from []uint32, all bool) (flows map[id][]byte, shared []string) {
	t.Helper()
	x := r.Export(from, 0, func(*[6]uint64) bool { return all })
	var got []byte
	for {
		part, more := x.Part()
		if len(part) > PartBytes {
			t.Fatalf("a part of %d bytes, more: %v", len(part), more)
		}
		got = append(got, part...)
		x.Sent()
		if !more {
			break
		}
	}
	flows = map[id][]byte{}
	in := state.Read(got)
	var e state.Entry
	for in.Next(&e) {
		if e.Kind == state.Shared {
			shared = append(shared, string(e.Data))
			continue
		}
		if _, twice := flows[id{e.Key, e.NF}]; twice {
			t.Fatal("an entry was told twice")
		}
		flows[id{e.Key, e.NF}] = bytes.Clone(e.Data)
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return flows, shared
}

// Random deltas against a Go map. With little memory the replica may know less than the map, as much as it counted, and nothing wrong.
func TestAgainstModel(t *testing.T) {
	for _, size := range []int{MinBytes, 8 << 20} {
		for seed := range uint64(5) {
			rng := rand.New(rand.NewPCG(seed, 1))
			r, err := New(Config{Bytes: size, Seed: seed, OneWorker: true})
			if err != nil {
				t.Fatal(err)
			}
			model := map[id][]byte{}
			for range 4000 {
				var delta []byte
				for range rng.IntN(8) {
					e := state.Entry{Kind: state.Flow, NF: uint8(rng.IntN(3)), Key: [6]uint64{rng.Uint64N(900), 7}}
					switch x := rng.IntN(20); {
					case x == 0:
						e.Kind, e.NF = state.Gone, 0
						for nf := range uint8(3) {
							delete(model, id{e.Key, nf})
						}
					case x == 1:
						delete(model, id{e.Key, e.NF})
					default:
						e.Data = make([]byte, 1+rng.IntN(300))
						for i := range e.Data {
							e.Data[i] = byte(rng.Uint32())
						}
						model[id{e.Key, e.NF}] = e.Data
					}
					delta = state.Append(delta, &e)
				}
				r.Apply(1, delta)
			}
			got, _ := exported(t, r, []uint32{1}, false)
			for k, v := range got {
				if !bytes.Equal(model[k], v) {
					t.Fatalf("size %d, seed %d: flow %v is %x, want %x", size, seed, k, v, model[k])
				}
			}
			st := r.Stats()
			if int(st.Entries) != len(got) || len(got) < len(model) && st.Evicted == 0 || st.Damaged != 0 {
				t.Fatalf("size %d, seed %d: %d told of %d, %+v", size, seed, len(got), len(model), st)
			}
			if size > MinBytes && len(got) != len(model) {
				t.Fatalf("seed %d: %d entries of %d with room for all", seed, len(got), len(model))
			}
			if st.Bytes > uint64(size) {
				t.Fatalf("%d bytes in use of %d", st.Bytes, size)
			}
		}
	}
}

func TestSharedReachesOneSuccessorOnce(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	for _, d := range []string{"a", "b"} {
		r.Apply(1, state.Append(nil, &state.Entry{Kind: state.Shared, Data: []byte(d)}))
	}
	r.Apply(2, state.Append(nil, &state.Entry{Kind: state.Shared, Data: []byte("other")}))
	r.Inherit([]uint32{1}, 3)
	r.Apply(3, state.Append(nil, &state.Entry{Kind: state.Shared, Data: []byte("c")}))
	if _, got := exported(t, r, []uint32{3}, false); len(got) != 3 || got[0] != "a" || got[2] != "c" {
		t.Errorf("told %q, want a b c", got)
	}
	if _, got := exported(t, r, []uint32{1}, true); len(got) != 0 {
		t.Errorf("a second heir is told %q", got)
	}
}

// What was known of a function that was taken away does not come back with the next one in its place; the others' goes on.
func TestKeep(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes, OneWorker: true})
	tell := func(who string) {
		var d []byte
		for nf := range uint8(2) {
			d = state.Append(d, &state.Entry{Kind: state.Flow, NF: nf, Key: [6]uint64{7}, Data: []byte(who)})
			d = state.Append(d, &state.Entry{Kind: state.Shared, NF: nf, Data: []byte(who + string('0'+nf))})
		}
		r.Apply(1, d)
	}
	tell("a")
	r.Keep(1)
	tell("b") // a worker that goes
	r.Keep(2)
	flows, shared := exported(t, r, []uint32{1}, false)
	if len(flows) != 1 || string(flows[id{[6]uint64{7}, 0}]) != "b" || !slices.Equal(shared, []string{"a0", "b0"}) {
		t.Errorf("flows %v, shared %q; expected those of function 0 alone", flows, shared)
	}
	tell("c")
	flows, shared = exported(t, r, []uint32{1}, false)
	if len(flows) != 2 || string(flows[id{[6]uint64{7}, 1}]) != "c" || !slices.Equal(shared, []string{"a0", "b0", "c0", "c1"}) {
		t.Errorf("flows %v, shared %q; expected those of both functions", flows, shared)
	}
}

// Deltas that are given up for room while they are told, part by part, are not told; those that come meanwhile are not of this export.
func TestSharedIsGivenUpWhileItIsTold(t *testing.T) {
	r, _ := New(Config{Bytes: 8 << 20, OneWorker: true})
	n := uint32(0)
	tell := func(worker uint32) {
		data := make([]byte, 1000)
		binary.LittleEndian.PutUint32(data, n)
		n++
		r.Apply(worker, state.Append(nil, &state.Entry{Kind: state.Shared, Data: data}))
	}
	for range 400 {
		tell(1)
	}
	x := r.Export([]uint32{1}, 2, func(*[6]uint64) bool { return false })
	var got []byte
	for parts, more := 0, true; more; parts++ {
		var part []byte
		part, more = x.Part()
		got = append(got, part...)
		x.Sent()
		if parts == 1 {
			for range 300 { // 500 have room
				tell(3)
			}
		}
	}
	next, seen := uint32(0), 0
	in := state.Read(got)
	for e := (state.Entry{}); in.Next(&e); seen++ {
		at := binary.LittleEndian.Uint32(e.Data)
		if at < next || at >= 400 {
			t.Fatalf("delta %d comes behind %d", at, next)
		}
		next = at + 1
	}
	if in.Err() != nil || next != 400 || seen >= 400 || seen < 190 {
		t.Errorf("%d deltas were told, the last %d; %v", seen, next, in.Err())
	}
}

func TestNoAllocation(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes, OneWorker: true})
	n := uint64(0)
	delta := state.Append(nil, &state.Entry{Kind: state.Flow, Key: [6]uint64{1}, Data: make([]byte, 100)})
	delta = state.Append(delta, &state.Entry{Kind: state.Shared, Data: make([]byte, 30)})
	r.Apply(1, delta)
	if a := testing.AllocsPerRun(5000, func() {
		n++
		delta[10], delta[11] = byte(n), byte(n>>8)
		r.Apply(1, delta)
	}); a != 0 {
		t.Errorf("%v allocations a delta", a)
	}
	if r.Stats().Evicted == 0 {
		t.Error("nothing was evicted: the test did not fill the replica")
	}
}
