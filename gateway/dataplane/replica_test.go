package dataplane

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/replica"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
	"github.com/granule-nf/granule/relay"
)

type testReplica struct{ *replica.Replica }

func (r testReplica) Export(from []uint32, to uint32, wants func(*[6]uint64) bool) Export {
	return r.Replica.Export(from, to, wants)
}

func (r testReplica) Stats() (entries, bytes, evicted, damaged uint64) {
	s := r.Replica.Stats()
	return s.Entries, s.Bytes, s.Evicted, s.Damaged
}

func withReplicas(t testing.TB, c *Config) {
	for range c.Stages {
		r, err := replica.New(replica.Config{Bytes: 8 << 20, OneWorker: true})
		if err != nil {
			t.Fatal(err)
		}
		c.Replicas = append(c.Replicas, testReplica{r})
	}
}

func replicaRig(t testing.TB) *rig { return newRig(t, func(c *Config) { withReplicas(t, c) }) }

func keyOf(frame []byte) [6]uint64 {
	var in packet.Info
	var key packet.Key
	packet.Parse(frame, max(len(frame), 60), &in) // headers alone may have been carried
	in.Key(frame, &key)
	return key
}

// told returns what a worker was told, by flow.
func told(t testing.TB, l *fakeLink) map[[6]uint64]string {
	t.Helper()
	m := map[[6]uint64]string{}
	in := state.Read(l.state)
	for e := (state.Entry{}); in.Next(&e); {
		if _, twice := m[e.Key]; twice {
			t.Errorf("worker %d was told twice of flow %x", l.worker, e.Key)
		}
		m[e.Key] = string(e.Data)
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return m
}

// judge answers all of l's packets, with state of so many bytes for each flow.
func (r *rig) judge(l *fakeLink, bytesEach int) {
	var delta []byte
	for i := range l.refs {
		e := state.Entry{Kind: state.Flow, Key: keyOf(l.carried[i]), Data: bytes.Repeat([]byte{byte(l.worker)}, bytesEach)}
		delta = state.Append(delta, &e)
	}
	l.answers = append(l.answers, func(h relay.Handler) { h.State(delta) })
	l.answer(1000, func(int) uint8 { return 0 })
	r.turn(1)
}

// feed gives the inside port a packet of each flow from..to-1.
func (r *rig) feed(from, to uint16, seq uint64) {
	for f := from; f < to; f++ {
		r.ports[0].in = append(r.ports[0].in, udp(f, false, seq))
	}
	r.turn(1)
}

func (r *rig) hire(worker uint32) *fakeLink {
	l := newFakeLink(r.t, worker, 1000)
	r.s.Connect(l, 0)
	r.turn(1)
	return l
}

func (r *rig) kill(l *fakeLink) {
	l.broken = true
	l.poke()
	r.turn(1)
}

func TestSuccessorIsToldFirst(t *testing.T) {
	for _, planned := range []bool{false, true} {
		r := replicaRig(t)
		a := r.hire(1)
		r.place(1, 1)
		r.turn(1)
		r.feed(100, 120, 0)
		r.judge(a, 10)
		r.feed(100, 120, 1) // these are unanswered when it goes
		b := r.hire(2)      // it stands by, and is told nothing before it has the seat
		if b.parts != 0 {
			t.Fatal("a worker that stands by was told something")
		}
		if !planned {
			r.kill(a)
			r.feed(100, 120, 2)
		}
		if a.told != 0 {
			t.Error("the first worker there was, was told something")
		}
		r.place(2, 2)
		r.turn(1)
		m := told(t, b)
		if b.told != 1 || len(m) != 20 {
			t.Fatalf("planned %v: the successor was told of %d flows in %d imports, expected 20 in one", planned, len(m), b.told)
		}
		for k, data := range m {
			if data != string(bytes.Repeat([]byte{1}, 10)) {
				t.Errorf("flow %x: told %x", k, data)
			}
		}
		want := 40
		for range 4 {
			r.judge(b, 10)
		}
		if !planned {
			want = 60
		}
		checkOrder(t, r.ports[1].out, want)
		led := r.ledger()
		if led.Imports != 1 || led.ImportedBytes != uint64(len(b.state)) || led.ReplicaEntries != 20 || led.ReplicaBytes == 0 {
			t.Errorf("imports %d of %d bytes, %d entries of %d bytes", led.Imports, led.ImportedBytes, led.ReplicaEntries, led.ReplicaBytes)
		}
		for version := range uint64(5) { // who keeps a sub-flow is told nothing of it again
			r.place(3+version, 2)
			r.turn(1)
			r.hire(10 + uint32(version))
		}
		if b.told != 1 {
			t.Errorf("a worker that kept its sub-flows was told of them %d times", b.told)
		}
	}
}

// big makes worker 1 tell of so much that it takes many parts, and returns it with what it left unanswered.
func big(t *testing.T) (*rig, *fakeLink) {
	r := newRig(t, func(c *Config) { withReplicas(t, c); c.Flows = 1024 })
	a := r.hire(1)
	r.place(1, 1)
	r.turn(1)
	for f := uint16(1000); f < 1500; f += 50 {
		r.feed(f, f+50, 0)
		r.judge(a, 4000) // 2 MB in all
	}
	r.feed(1000, 1020, 1)
	return r, a
}

// While a slow socket takes an import, what comes waits in order; other things go on.
func TestPacketsWaitForTheImport(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	r.kill(a)
	r.place(2, 2)
	r.turn(1)
	if b.parts != partsPerTurn || !b.halfTold {
		t.Fatalf("%d parts in one turn, expected %d of more", b.parts, partsPerTurn)
	}
	b.stuck = true
	parts := b.parts
	r.feed(1000, 1020, 2)
	r.turn(5)
	if b.parts != parts || len(b.refs) != 0 {
		t.Fatalf("%d parts and %d packets were given to a socket that takes nothing", b.parts-parts, len(b.refs))
	}
	b.stuck = false
	r.feed(1000, 1020, 3)
	r.turn(20)
	if m := told(t, b); len(m) != 500 || b.told != 1 {
		t.Fatalf("told of %d flows in %d imports, expected 500 in one", len(m), b.told)
	}
	for range 5 {
		r.judge(b, 10)
	}
	checkOrder(t, r.ports[1].out, 500+60)
}

// A worker that dies while it is told leaves everything to the next one.
func TestDeathWithinAnImport(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	c := r.hire(3)
	r.kill(a)
	r.place(2, 2)
	r.turn(1)
	b.stuck = true
	r.feed(1000, 1020, 2)
	r.kill(b)
	r.place(3, 3)
	r.turn(20)
	if m := told(t, c); len(m) != 500 || c.told != 1 {
		t.Fatalf("told of %d flows in %d imports, expected 500 in one", len(m), c.told)
	}
	for range 5 {
		r.judge(c, 10)
	}
	checkOrder(t, r.ports[1].out, 500+40)
	if led := r.ledger(); led.Imports != 1 || led.ImportsFailed != 1 {
		t.Errorf("%d imports, %d failed; expected one each", led.Imports, led.ImportsFailed)
	}
}

// One that does not take its import within worker-timeout is lost like one that does not answer.
func TestHungWithinAnImport(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	r.kill(a)
	r.place(2, 2)
	r.turn(1)
	b.stuck = true
	r.later(r.s.cfg.WorkerTimeout + time.Millisecond)
	r.turn(1)
	if !b.closed {
		t.Error("a worker that takes nothing of its import is connected still")
	}
}

// split gives the first half of the sub-flows to one worker and the second to another.
func (r *rig) split(version uint64, first, second uint32) {
	p := &Placement{Version: version, Pools: make([]Pool, 1)}
	for sub := range p.Pools[0] {
		p.Pools[0][sub] = first
		if sub >= SubFlows/2 {
			p.Pools[0][sub] = second
		}
	}
	r.s.Place(p)
	r.turn(1)
}

// One that lives takes over a neighbour's sub-flows: it is told of those alone, not of its own, which it knows better.
func TestTakingOverFromANeighbour(t *testing.T) {
	r := newRig(t, func(c *Config) { withReplicas(t, c); c.Flows = 1024 })
	a, b := r.hire(1), r.hire(2)
	r.split(1, 1, 2)
	r.feed(100, 200, 0)
	of := map[[6]uint64]int{}
	for i, l := range []*fakeLink{a, b} {
		for _, f := range l.carried {
			of[keyOf(f)] = i
		}
	}
	r.judge(a, 10)
	r.judge(b, 10)
	r.feed(100, 200, 1)
	r.kill(a)
	r.split(2, 2, 2)
	r.turn(2)
	m := told(t, b)
	for k := range m {
		if of[k] != 0 {
			t.Errorf("it was told of its own flow %x", k)
		}
	}
	first := 0
	for _, i := range of {
		first += 1 - i
	}
	if len(m) != first || first == 0 || first == 100 {
		t.Errorf("told of %d flows, expected the %d of its neighbour", len(m), first)
	}
	for range 4 {
		r.judge(b, 10)
	}
	checkOrder(t, r.ports[1].out, 200)
	// A third one takes half of them over: it gets what it needs although others inherited before.
	c := r.hire(3)
	d := r.hire(4)
	r.kill(b)
	r.split(3, 3, 4)
	r.turn(2)
	got := told(t, c)
	for k, v := range told(t, d) {
		got[k] = v
	}
	if len(got) != 100 {
		t.Errorf("two successors know %d flows of 100 together", len(got))
	}
}

func TestOtherFunctionsStartEmpty(t *testing.T) {
	for functions, want := range map[string]int{"firewall": 10, "firewall, ids": 10, "ids": 0, "firewall2": 0, "ids, firewall": 0} {
		r := newRig(t, func(c *Config) { withReplicas(t, c); c.Stages[0].Functions = "firewall" })
		a := r.hire(1)
		r.place(1, 1)
		r.turn(1)
		r.feed(100, 110, 0)
		r.judge(a, 10)
		b := r.hire(2)
		p := &Placement{Version: 2, Pools: make([]Pool, 1), Layout: &Layout{Stages: []Stage{{Name: "edge/0", Functions: functions}}, Choose: r.s.cfg.Choose}}
		for sub := range p.Pools[0] {
			p.Pools[0][sub] = 2
		}
		r.s.Place(p)
		r.turn(1)
		if got := len(told(t, b)); got != want {
			t.Errorf("functions %s: the successor was told of %d flows, expected %d", functions, got, want)
		}
	}
}

// A chain of workers that die, hang and are replaced counts as one that never stopped: each packet is judged with the count of all packets
// of its flow that were judged before.
func TestStateAgainstModel(t *testing.T) {
	imports := uint64(0)
	for seed := range uint64(6) {
		imports += runStateModel(t, seed, 1000)
	}
	if imports < 50 {
		t.Errorf("%d imports in all: the model tests little", imports)
	}
}

func runStateModel(t *testing.T, seed uint64, steps int) uint64 {
	rnd := rng(t, seed)
	r := newRig(t, func(c *Config) { withReplicas(t, c) })
	model := map[[6]uint64]uint64{} // packets judged, by flow
	type worker struct {
		*fakeLink
		knows map[[6]uint64]uint64
		read  int // bytes of state
	}
	var ws []*worker
	var names uint32
	learn := func(w *worker) {
		if w.halfTold {
			return
		}
		in := state.Read(w.state[w.read:])
		for e := (state.Entry{}); in.Next(&e); {
			w.knows[e.Key] = binary.LittleEndian.Uint64(e.Data)
		}
		if in.Err() != nil {
			t.Fatal(in.Err())
		}
		w.read = len(w.state)
	}
	alive := func() (as []*worker) {
		for _, w := range ws {
			if !w.closed && !w.broken {
				as = append(as, w)
			}
		}
		ws = as
		return as
	}
	seats, version, seq := [2]uint32{}, uint64(0), uint64(0)
	for range steps {
		switch x := rnd.IntN(100); {
		case x < 45:
			for range rnd.IntN(20) {
				side := rnd.IntN(2)
				r.ports[side].in = append(r.ports[side].in, udp(uint16(1000+rnd.IntN(24)), side == 1, seq))
				seq++
			}
		case x < 80:
			for _, w := range alive() {
				n := min(rnd.IntN(30), len(w.refs))
				if w.stuck || w.halfTold || n == 0 {
					continue
				}
				learn(w)
				for i := range n { // a batch each
					key := keyOf(w.carried[i])
					ref := w.refs[i]
					w.answers = append(w.answers, func(h relay.Handler) {
						if w.knows[key] != model[key] {
							t.Fatalf("seed %d: worker %d judges a packet of flow %x knowing %d before it, there were %d", seed, w.worker, key, w.knows[key], model[key])
						}
						w.knows[key]++
						model[key]++
						e := state.Entry{Kind: state.Flow, Key: key, Data: append(binary.LittleEndian.AppendUint64(nil, model[key]), make([]byte, 1000)...)}
						h.State(state.Append(nil, &e))
						h.Verdicts([]uint64{ref}, 0)
					})
				}
				w.refs, w.subs, w.carried = w.refs[n:], w.subs[n:], w.carried[n:]
				w.poke()
			}
		case x < 85:
			names++
			w := &worker{fakeLink: newFakeLink(t, names, 1+rnd.IntN(40)), knows: map[[6]uint64]uint64{}}
			ws = append(ws, w)
			r.s.Connect(w.fakeLink, 0)
		case x < 88:
			if as := alive(); len(as) > 0 {
				w := as[rnd.IntN(len(as))]
				w.broken = true
				w.poke()
			}
		case x < 93:
			for _, w := range alive() {
				w.stuck = rnd.IntN(3) == 0
				w.poke()
			}
		default:
			as := alive()
			there := func(id uint32) bool {
				for _, w := range as {
					if w.worker == id {
						return true
					}
				}
				return false
			}
			before := seats
			if seats[0] == seats[1] && rnd.IntN(2) == 0 { // who leaves one leaves both
				seats = [2]uint32{}
			}
			for i := range seats { // a seat that is empty is taken by a new worker, by that of the other seat, or by none
				if there(seats[i]) && (seats[0] == seats[1] || rnd.IntN(4) > 0) {
					continue
				}
				seats[i] = 0
				for _, w := range as {
					if w.worker > max(seats[0], seats[1], before[0], before[1]) || rnd.IntN(8) == 0 && w.worker == seats[1-i] {
						seats[i] = w.worker
						break
					}
				}
			}
			version++
			r.split(version, seats[0], seats[1])
		}
		r.turn(1)
		for i := range r.s.conns.all {
			r.s.conns.all[i].progress = r.s.clock.now
		}
	}
	if len(model) == 0 {
		t.Fatal("no packet was judged")
	}
	return r.ledger().Imports
}

// tellingLink is a worker that tells state of another flow with each answer, without allocating.
type tellingLink struct {
	*quietLink
	delta []byte
	n     uint16
}

func (l *tellingLink) Read(h relay.Handler) relay.Status {
	l.n++
	binary.LittleEndian.PutUint16(l.delta[10:], l.n|1) // of the key's first word, which is never 0
	h.State(l.delta)
	return l.quietLink.Read(h)
}

// Keeping what workers tell allocates nothing, also when the replica is full and gives up what is old.
func TestReplicaAllocatesNothing(t *testing.T) {
	r := newRig(t, func(c *Config) {
		small, err := replica.New(replica.Config{Bytes: replica.MinBytes, OneWorker: true})
		if err != nil {
			t.Fatal(err)
		}
		c.Replicas = []Replica{testReplica{small}}
	})
	l := &tellingLink{quietLink: newQuietLink(t), delta: state.Append(nil, &state.Entry{Kind: state.Flow, Key: [6]uint64{1}, Data: make([]byte, 100)})}
	l.delta = state.Append(l.delta, &state.Entry{Kind: state.Shared, Data: make([]byte, 40)})
	r.s.Connect(l, 0)
	r.place(1, 1)
	r.s.turn(false)
	r.s.ports.port[0] = &quietPort{fakePort: r.ports[0], frame: udp(5, false, 0)}
	r.s.ports.port[1] = &quietPort{fakePort: r.ports[1]}
	for range 1000 {
		r.s.turn(false)
	}
	if n := testing.AllocsPerRun(1000, func() { r.s.turn(false) }); n != 0 {
		t.Errorf("%v allocations in a turn of the loop, expected none", n)
	}
	if led := r.ledger(); led.ReplicaEvicted == 0 || led.ReplicaDamaged != 0 || l.answered == 0 {
		t.Errorf("%d evicted, %d damaged, %d packets: the test tests nothing", led.ReplicaEvicted, led.ReplicaDamaged, l.answered)
	}
}

// What a function that was taken away knew is told neither to the next one in its place nor to itself, when it comes back.
func TestStateOfATakenAwayFunctionStaysAway(t *testing.T) {
	for _, last := range []string{"a, c", "a, b"} {
		r := newRig(t, func(c *Config) { c.Stages[0].Functions = "a, b"; withReplicas(t, c) })
		w := r.hire(1)
		r.place(1, 1)
		r.turn(1)
		r.feed(100, 101, 0)
		var delta []byte
		for nf := range uint8(2) {
			delta = state.Append(delta, &state.Entry{Kind: state.Flow, NF: nf, Version: 1, Key: keyOf(w.carried[0]), Data: []byte{'o', 'l', 'd', nf}})
		}
		delta = state.Append(delta, &state.Entry{Kind: state.Shared, NF: 1, Data: []byte("shared of b")})
		w.answers = append(w.answers, func(h relay.Handler) { h.State(delta) })
		w.answer(1, func(int) uint8 { return 0 })
		r.turn(1)
		for i, functions := range []string{"a", last} {
			w = r.hire(uint32(2 + i))
			p := &Placement{Version: uint64(2 + i), Pools: make([]Pool, 1), Layout: &Layout{
				Stages: []Stage{{Name: "edge/0", Functions: functions}}, Choose: func([]byte, uint32) int { return 0 }}}
			for sub := range p.Pools[0] {
				p.Pools[0][sub] = uint32(2 + i)
			}
			r.s.Place(p)
			r.turn(2)
		}
		in := state.Read(w.state)
		for e := (state.Entry{}); in.Next(&e); {
			if e.NF == 1 {
				t.Errorf("[a, b] -> [a] -> [%s]: the worker was told, for function 1, kind %d: %q", last, e.Kind, e.Data)
			}
		}
	}
}
