package replica

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/state"
)

type id struct {
	key [6]uint64
	nf  uint8
}

// all: everybody has a say in everything.
var all everybody

type everybody struct{}

func (everybody) Holds(uint32, uint16) bool    { return true }
func (everybody) Home(uint16, *[6]uint64) bool { return false }

// byNumber: worker n holds sub-flow n, which flow n is in.
type byNumber struct{}

func (byNumber) Holds(worker uint32, sub uint16) bool { return worker == uint32(sub) }
func (byNumber) Home(sub uint16, key *[6]uint64) bool { return uint64(sub) == key[0] }

// heir is what a successor knows that is told of a sub-flow.
type heir struct {
	flows  map[id][]byte
	shared []string
}

func (h *heir) hear(t *testing.T, part []byte) {
	t.Helper()
	in := state.Read(part)
	var e state.Entry
	for in.Next(&e) {
		switch {
		case e.Kind == state.Shared:
			h.shared = append(h.shared, string(e.Data))
		case e.Kind == state.Gone:
			maps.DeleteFunc(h.flows, func(k id, _ []byte) bool { return k.key == e.Key })
		case len(e.Data) == 0:
			delete(h.flows, id{e.Key, e.NF})
		default:
			h.flows[id{e.Key, e.NF}] = bytes.Clone(e.Data)
		}
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
}

// exported is all that is known of sub-flow sub, and the shared state of worker from.
func exported(t *testing.T, r *Replica, sub uint16, from, to uint32) (flows map[id][]byte, shared []string) {
	t.Helper()
	h := heir{flows: map[id][]byte{}}
	c := r.Copy(sub)
	for !c.AtEnd() {
		h.hear(t, c.Next(nil, 1000))
	}
	c.End()
	for x, more := r.Legacy(from, to), true; more; {
		var part []byte
		part, more = x.Next(nil, 1000)
		h.hear(t, part)
	}
	return h.flows, h.shared
}

// Random deltas against a Go map for each sub-flow, while sub-flows are copied a part at a time: who has read to the end knows what the
// map does. With little memory the replica may know less than the map, as much as it counted, and nothing wrong.
func TestAgainstModel(t *testing.T) {
	const subs = 7
	for _, size := range []int{MinBytes, 8 << 20} {
		for seed := range uint64(5) {
			rng := rand.New(rand.NewPCG(seed, 1))
			r, err := New(Config{Bytes: size, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			model := [subs]map[id][]byte{}
			copies, heirs := [subs]*Copy{}, [subs]heir{}
			for i := range model {
				model[i] = map[id][]byte{}
			}
			compared := 0
			for range 6000 {
				var delta []byte
				for range rng.IntN(8) {
					e := state.Entry{Kind: state.Flow, NF: uint8(rng.IntN(3)), Key: [6]uint64{rng.Uint64N(900), 7}}
					e.Sub = uint16(e.Key[0] % subs)
					m := model[e.Sub]
					switch x := rng.IntN(20); {
					case x == 0:
						e.Kind, e.NF = state.Gone, 0
						for nf := range uint8(3) {
							delete(m, id{e.Key, nf})
						}
					case x == 1:
						delete(m, id{e.Key, e.NF})
					default:
						e.Data = make([]byte, 1+rng.IntN(300))
						for i := range e.Data {
							e.Data[i] = byte(rng.Uint32())
						}
						m[id{e.Key, e.NF}] = e.Data
					}
					delta = state.Append(delta, &e)
				}
				r.Apply(1, delta, all, nil)
				sub := rng.IntN(subs)
				c, h := copies[sub], &heirs[sub]
				switch {
				case c == nil:
					copies[sub], *h = r.Copy(uint16(sub)), heir{flows: map[id][]byte{}}
				case rng.IntN(40) == 0: // it is over: the rest at once
					for !c.AtEnd() {
						h.hear(t, c.Next(nil, 2000))
					}
					c.End()
					copies[sub] = nil
					for k, v := range model[sub] {
						if got, ok := h.flows[k]; !bytes.Equal(got, v) && (ok || r.Stats().Evicted == 0) {
							t.Fatalf("size %d, seed %d: the heir knows %x of flow %v, expected %x", size, seed, got, k, v)
						}
					}
					for k := range h.flows {
						if _, ok := model[sub][k]; !ok {
							t.Fatalf("size %d, seed %d: the heir knows flow %v, which is no more", size, seed, k)
						}
					}
					compared++
				default:
					h.hear(t, c.Next(nil, 1+rng.IntN(3000)))
				}
			}
			if compared < 20 {
				t.Errorf("%d copies were compared", compared)
			}
			known, told := 0, 0
			for sub := range model {
				if c := copies[sub]; c != nil {
					c.End()
				}
				got, _ := exported(t, r, uint16(sub), 0, 0)
				for k, v := range got {
					if !bytes.Equal(model[sub][k], v) {
						t.Fatalf("size %d, seed %d: flow %v is %x, want %x", size, seed, k, v, model[sub][k])
					}
				}
				known += len(model[sub])
				told += len(got)
			}
			st := r.Stats()
			if int(st.Entries) != told || told < known && st.Evicted == 0 || st.Damaged != 0 {
				t.Fatalf("size %d, seed %d: %d told of %d, %+v", size, seed, told, known, st)
			}
			if size > MinBytes && told != known {
				t.Fatalf("seed %d: %d entries of %d with room for all", seed, told, known)
			}
			if st.Bytes > uint64(size) {
				t.Fatalf("%d bytes in use of %d", st.Bytes, size)
			}
		}
	}
}

// What a worker says of flows that it has no say in changes nothing.
func TestOnlyWhoHasASubFlowIsHeard(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	has := byNumber{}
	entry := func(kind state.Kind, sub uint16, data string) []byte {
		return state.Append(nil, &state.Entry{Kind: kind, Sub: sub, Key: [6]uint64{uint64(sub)}, Data: []byte(data)})
	}
	r.Apply(1, entry(state.Flow, 1, "mine"), has, nil)
	r.Apply(2, entry(state.Flow, 1, "forged"), has, nil)
	r.Apply(2, entry(state.Gone, 1, ""), has, nil)
	r.Apply(2, entry(state.Flow, SubFlows, "nowhere"), has, nil)
	r.Apply(2, state.Append(nil, &state.Entry{Kind: state.Gone, Sub: 2, Key: [6]uint64{1}}), has, nil) // its own sub-flow, another's flow
	flows, _ := exported(t, r, 1, 0, 0)
	if len(flows) != 1 || string(flows[id{[6]uint64{1}, 0}]) != "mine" || r.Stats().Refused != 3 {
		t.Errorf("%v is known after forgeries, and %d were refused; expected the first worker's word, and 3", flows, r.Stats().Refused)
	}
}

// A worker that says that flows of others are in its sub-flow is not believed where a flow's key tells the sub-flow, whoever speaks first.
func TestFlowsStayInTheirSubFlow(t *testing.T) {
	for _, forgedFirst := range []bool{false, true} {
		r, _ := New(Config{Bytes: MinBytes})
		say := func(worker, flow uint64, data string) {
			r.Apply(uint32(worker), state.Append(nil, &state.Entry{Kind: state.Flow, Sub: uint16(worker), Key: [6]uint64{flow}, Data: []byte(data)}), byNumber{}, nil)
		}
		if forgedFirst {
			say(2, 1, "forged")
		}
		say(1, 1, "mine")
		say(2, 1, "forged")
		say(2, 1, "") // nor may it end what is known
		say(3, 77, "within a tunnel of 3")
		say(4, 77, "within a tunnel of 4")
		for sub, want := range map[uint16]string{1: "mine", 2: "", 3: "within a tunnel of 3", 4: "within a tunnel of 4"} {
			flows, _ := exported(t, r, sub, 0, 0)
			got := ""
			for _, data := range flows {
				got += string(data)
			}
			if got != want {
				t.Errorf("forged first: %v: of sub-flow %d %q is known, want %q", forgedFirst, sub, got, want)
			}
		}
	}
}

// A worker that makes flows up pushes out its own, not those of another one that is far below its share.
func TestQuota(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	say := func(worker uint16, flow uint64) {
		r.Apply(uint32(worker), state.Append(nil, &state.Entry{Kind: state.Flow, Sub: worker, Key: [6]uint64{flow}, Data: []byte{1}}), byNumber{}, nil)
	}
	const honest = 200
	for n := range uint64(honest) {
		say(1, n<<32)
	}
	for n := range uint64(100_000) {
		say(2, n<<32|1<<20)
	}
	flows, _ := exported(t, r, 1, 0, 0)
	if len(flows) != honest || r.Stats().Evicted == 0 {
		t.Errorf("%d flows are known of %d of a worker beside one that told of 100,000; %d evicted", len(flows), honest, r.Stats().Evicted)
	}
	for n := range uint64(len(r.records)) { // both say more than fits: each has half
		say(1, n<<32|1)
		say(2, n<<32|2)
	}
	mine, _ := exported(t, r, 1, 0, 0)
	theirs, _ := exported(t, r, 2, 0, 0)
	if a, b := len(mine), len(theirs); a-b > 2 || b-a > 2 || a+b != len(r.records) {
		t.Errorf("two workers that say more than fits have %d and %d records of %d, want half each", a, b, len(r.records))
	}
}

func TestSharedReachesOneSuccessorOnce(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	for _, d := range []string{"a", "b"} {
		r.Apply(1, state.Append(nil, &state.Entry{Kind: state.Shared, Data: []byte(d)}), all, nil)
	}
	r.Apply(2, state.Append(nil, &state.Entry{Kind: state.Shared, Data: []byte("other")}), all, nil)
	if _, got := exported(t, r, 0, 1, 3); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the first heir is told %q, want a b", got)
	}
	r.Apply(3, state.Append(nil, &state.Entry{Kind: state.Shared, Data: []byte("c")}), all, nil)
	if _, got := exported(t, r, 0, 1, 4); len(got) != 0 {
		t.Errorf("a second heir is told %q", got)
	}
	if _, got := exported(t, r, 0, 3, 5); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("the heir's heir is told %q, want a b c", got)
	}
}

// What was known of a function that was taken away does not come back with the next one in its place; the others' goes on.
func TestKeep(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	tell := func(who string) {
		var d []byte
		for nf := range uint8(2) {
			d = state.Append(d, &state.Entry{Kind: state.Flow, NF: nf, Key: [6]uint64{7}, Data: []byte(who)})
			d = state.Append(d, &state.Entry{Kind: state.Shared, NF: nf, Data: []byte(who + string('0'+nf))})
		}
		r.Apply(1, d, all, nil)
	}
	tell("a")
	r.Keep("a")
	tell("b") // a worker that goes
	r.Keep("a, b")
	flows, shared := exported(t, r, 0, 1, 1)
	if len(flows) != 1 || string(flows[id{[6]uint64{7}, 0}]) != "b" || !slices.Equal(shared, []string{"a0", "b0"}) {
		t.Errorf("flows %v, shared %q; expected those of function 0 alone", flows, shared)
	}
	tell("c")
	flows, shared = exported(t, r, 0, 1, 1)
	if len(flows) != 2 || string(flows[id{[6]uint64{7}, 1}]) != "c" || !slices.Equal(shared, []string{"a0", "b0", "c0", "c1"}) {
		t.Errorf("flows %v, shared %q; expected those of both functions", flows, shared)
	}
}

// Deltas that are given up for room while they are told, part by part, are not told; those that come meanwhile are not of this legacy.
func TestSharedIsGivenUpWhileItIsTold(t *testing.T) {
	r, _ := New(Config{Bytes: 8 << 20})
	n := uint32(0)
	tell := func(worker uint32) {
		data := make([]byte, 1000)
		binary.LittleEndian.PutUint32(data, n)
		n++
		r.Apply(worker, state.Append(nil, &state.Entry{Kind: state.Shared, Data: data}), all, nil)
	}
	for range 400 {
		tell(1)
	}
	x := r.Legacy(1, 2)
	var got []byte
	for parts, more := 0, true; more; parts++ {
		got, more = x.Next(got, PartBytes)
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

func TestForget(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	tell := func(flow uint64, data string) {
		d := state.Append(nil, &state.Entry{Kind: state.Flow, Key: [6]uint64{flow}, Data: []byte(data)})
		r.Apply(1, state.Append(d, &state.Entry{Kind: state.Shared, Data: []byte(data)}), all, nil)
	}
	for i := range uint64(2000) {
		tell(i, "x")
	}
	evicted := r.Stats().Evicted
	r.Forget()
	if s := r.Stats(); s.Entries != 0 || s.Bytes != 0 || s.Evicted != evicted || evicted == 0 {
		t.Errorf("%+v behind Forget, %d had been evicted", s, evicted)
	}
	tell(5, "again")
	if flows, shared := exported(t, r, 0, 1, 1); len(flows) != 1 || len(shared) != 1 {
		t.Errorf("%d flows and %d deltas behind Forget, expected one each", len(flows), len(shared))
	}
}

func TestNoAllocation(t *testing.T) {
	r, _ := New(Config{Bytes: MinBytes})
	n := uint64(0)
	delta := state.Append(nil, &state.Entry{Kind: state.Flow, Key: [6]uint64{1}, Data: make([]byte, 100)})
	delta = state.Append(delta, &state.Entry{Kind: state.Shared, Data: make([]byte, 30)})
	r.Apply(1, delta, all, nil)
	buf := make([]byte, 0, PartBytes)
	if a := testing.AllocsPerRun(5000, func() {
		n++
		delta[12], delta[13] = byte(n), byte(n>>8)
		r.Apply(1, delta, all, nil)
		if n%100 == 0 {
			c := r.Copy(0)
			buf = c.Next(buf[:0], PartBytes)
			c.End()
		}
	}); a != 0 {
		t.Errorf("%v allocations a delta", a)
	}
	if r.Stats().Evicted == 0 {
		t.Error("nothing was evicted: the test did not fill the replica")
	}
}
