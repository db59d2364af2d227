package replica

import (
	"encoding/binary"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/state"
)

func tell(r *Replica, worker uint32, flow uint64, data, shared string) {
	d := state.Append(nil, &state.Entry{Kind: state.Flow, Key: [6]uint64{flow}, Data: []byte(data)})
	if shared != "" {
		d = state.Append(d, &state.Entry{Kind: state.Shared, Data: []byte(shared)})
	}
	r.Apply(worker, d)
}

// Thousands of workers one after the other, each of which leaves a flow that nobody speaks of again: all is told to the last one, and what
// is kept of workers does not grow.
func TestManyHandOvers(t *testing.T) {
	const workers = 5000
	r, _ := New(Config{Bytes: 8 << 20, OneWorker: true})
	for w := uint32(1); w <= workers; w++ {
		var name [4]byte
		binary.LittleEndian.PutUint32(name[:], w)
		tell(r, w, uint64(w), "flow", string(name[:]))
		tell(r, w, 1<<40, "busy", "")
		r.Inherit([]uint32{w}, w+1)
	}
	flows, shared := exported(t, r, []uint32{workers + 1}, false)
	if len(flows) != workers+1 || len(shared) != workers {
		t.Fatalf("told of %d flows and %d deltas, expected %d and %d", len(flows), len(shared), workers+1, workers)
	}
	for i, s := range shared {
		if binary.LittleEndian.Uint32([]byte(s)) != uint32(i+1) {
			t.Fatalf("delta %d is that of worker %d", i, binary.LittleEndian.Uint32([]byte(s)))
		}
	}
	if len(r.owners) > maxOwners {
		t.Errorf("%d owners for one worker that lives", len(r.owners))
	}
	held := 0
	for i := range r.owners {
		held += r.owners[i].holds
	}
	if held != len(flows)+len(shared) {
		t.Errorf("owners hold %d, there are %d", held, len(flows)+len(shared))
	}
}

func TestNobodyIsToldWhatItSaid(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	tell(r, 1, 10, "dead", "a")
	tell(r, 2, 20, "mine", "b")
	tell(r, 3, 30, "other", "c")
	for _, tt := range []struct {
		name   string
		from   []uint32
		wants  func(*[6]uint64) bool
		flows  int
		shared int
	}{
		{"its predecessor's", []uint32{1}, func(*[6]uint64) bool { return false }, 1, 1},
		{"all", []uint32{1}, func(*[6]uint64) bool { return true }, 2, 1},
		{"a sub-flow of another", nil, func(k *[6]uint64) bool { return k[0] == 30 }, 1, 0},
		{"its own", []uint32{2}, func(k *[6]uint64) bool { return k[0] == 20 }, 0, 0},
	} {
		x := r.Export(tt.from, 2, tt.wants)
		part, more := x.Part()
		flows, shared := 0, 0
		in := state.Read(part)
		for e := (state.Entry{}); in.Next(&e); {
			if e.Kind == state.Shared {
				shared++
			} else {
				flows++
			}
		}
		if more || flows != tt.flows || shared != tt.shared {
			t.Errorf("%s: %d flows and %d deltas, more: %v; expected %d, %d", tt.name, flows, shared, more, tt.flows, tt.shared)
		}
	}
}

// What is looked at for one part is bounded, however little of it is wanted.
func TestAPartLooksAtFew(t *testing.T) {
	r, _ := New(Config{Bytes: 8 << 20})
	for i := range uint64(20000) {
		tell(r, 1, i, "x", "")
	}
	x := r.Export(nil, 2, func(k *[6]uint64) bool { return k[0] == 19999 })
	parts, got := 0, 0
	for more := true; more; parts++ {
		before := x.next
		var part []byte
		part, more = x.Part()
		got += len(part)
		x.Sent()
		if x.next-before > scan {
			t.Fatalf("%d records were looked at for one part", x.next-before)
		}
	}
	if got == 0 || parts != (20000+scan-1)/scan {
		t.Errorf("%d bytes in %d parts", got, parts)
	}
}

func TestForget(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	for i := range uint64(1000) {
		tell(r, 1, i, "x", "y")
	}
	evicted := r.Stats().Evicted
	r.Forget()
	if s := r.Stats(); s.Entries != 0 || s.Bytes != 0 || s.Evicted != evicted || evicted == 0 {
		t.Errorf("%+v behind Forget, %d had been evicted", s, evicted)
	}
	tell(r, 1, 5, "again", "z")
	if flows, shared := exported(t, r, []uint32{1}, false); len(flows) != 1 || len(shared) != 1 {
		t.Errorf("%d flows and %d deltas behind Forget, expected one each", len(flows), len(shared))
	}
}
