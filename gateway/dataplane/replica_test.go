package dataplane

import (
	"bytes"
	"encoding/binary"
	"maps"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/replica"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
	"github.com/granule-nf/granule/relay"
)

type testReplica struct{ *replica.Replica }

func (r testReplica) Copy(sub uint16) Copy {
	if c := r.Replica.Copy(sub); c != nil {
		return c
	}
	return nil
}

func (r testReplica) Legacy(from, to uint32) Legacy {
	l := r.Replica.Legacy(from, to)
	return &l
}

func (r testReplica) Stats() (entries, bytes, evicted, damaged, refused uint64) {
	s := r.Replica.Stats()
	return s.Entries, s.Bytes, s.Evicted, s.Damaged, s.Refused
}

func withReplicas(t testing.TB, c *Config) {
	for range c.Stages {
		r, err := replica.New(replica.Config{Bytes: 8 << 20})
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
		if old, twice := m[e.Key]; twice && old == string(e.Data) {
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
		e := state.Entry{Kind: state.Flow, Sub: l.subs[i], Key: keyOf(l.carried[i]), Data: bytes.Repeat([]byte{byte(l.worker)}, bytesEach)}
		delta = state.Append(delta, &e)
	}
	l.answers = append(l.answers, func(h relay.Handler) { h.State(delta, nil) })
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
		b := r.hire(2)      // it stands by, and is told nothing before it has sub-flows
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
		r.turn(2)
		if planned { // it has packets of each sub-flow: they are handed off when it has answered
			if len(b.refs) != 0 || a.closed {
				t.Fatalf("%d packets at the successor while its predecessor has unanswered ones of each sub-flow; closed: %v", len(b.refs), a.closed)
			}
			r.feed(100, 120, 2)
			r.judge(a, 11)
			r.turn(2)
			if len(a.released) == 0 {
				t.Error("the predecessor was not released")
			}
		}
		m := told(t, b)
		if len(m) != 20 {
			t.Fatalf("planned %v: the successor was told of %d flows, expected 20", planned, len(m))
		}
		for k, data := range m {
			if want := 10; len(data) != want && (!planned || len(data) != want+1) || data[0] != 1 {
				t.Errorf("flow %x: told %x", k, data)
			}
		}
		if len(b.refs) == 0 {
			t.Error("the successor got no packets")
		}
		for range 4 {
			r.judge(b, 10)
		}
		checkOrder(t, r.ports[1].out, 60)
		led := r.ledger()
		if led.Handoffs != uint64(subFlows(m, r)) || led.ImportedBytes != uint64(len(b.state)) || led.ReplicaEntries != 20 || led.ReplicaBytes == 0 {
			t.Errorf("%d hand-offs of %d bytes, %d entries of %d bytes", led.Handoffs, led.ImportedBytes, led.ReplicaEntries, led.ReplicaBytes)
		}
		parts := b.parts
		for version := range uint64(5) { // who keeps a sub-flow is told nothing of it again
			r.place(3+version, 2)
			r.turn(1)
			r.hire(10 + uint32(version))
		}
		if b.parts != parts {
			t.Error("a worker that kept its sub-flows was told of them again")
		}
	}
}

// subFlows is how many sub-flows the flows of m are in.
func subFlows(m map[[6]uint64]string, r *rig) int {
	subs := map[uint16]bool{}
	for k := range m {
		subs[r.s.space.byFlow(r.s.flows.Hash((*packet.Key)(&k)))] = true
	}
	return len(subs)
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

// While a slow socket takes state, what comes for it waits in order, and no more state than a window is on its way.
func TestPacketsWaitForTheirState(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	b.mute = true
	r.kill(a)
	r.place(2, 2)
	r.turn(5)
	if n := len(b.state); n > importWindow+8000 || n < importWindow/2 {
		t.Fatalf("%d bytes of state were given to a worker that has applied none, expected about %d", n, importWindow)
	}
	b.stuck, b.mute, b.pong = true, false, b.pings[len(b.pings)-1]
	before := len(b.state)
	r.feed(1000, 1020, 2)
	r.turn(5)
	if len(b.state) != before {
		t.Fatal("state was given to a socket that takes nothing")
	}
	b.stuck = false
	r.feed(1000, 1020, 3)
	r.turn(200)
	if m := told(t, b); len(m) != 500 {
		t.Fatalf("told of %d flows, expected 500", len(m))
	}
	for range 5 {
		r.judge(b, 10)
	}
	checkOrder(t, r.ports[1].out, 500+60)
}

// Sub-flows with packets that wait are handed off before others.
func TestWhoWaitsIsFirst(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	b.mute = true
	r.kill(a) // flows 1000 to 1019 wait
	r.place(2, 2)
	turns := 0
	for ; len(b.refs) < 20 && turns < 100; turns++ {
		r.turn(1)
		if n := len(b.pings); n > 0 {
			b.pong = b.pings[n-1]
		}
	}
	if len(b.refs) != 20 || len(b.state) > 2<<20/4 {
		t.Errorf("%d packets of 20 went on after %d turns and %d bytes of state; expected all of them after a small part of 2 MB", len(b.refs), turns, len(b.state))
	}
}

// A worker that dies while it is told leaves everything to the next one.
func TestDeathWithinAnImport(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	c := r.hire(3)
	r.kill(a)
	b.stuck = true
	r.place(2, 2)
	r.turn(1)
	r.feed(1000, 1020, 2)
	r.kill(b)
	r.place(3, 3)
	r.turn(200)
	if m := told(t, c); len(m) != 500 {
		t.Fatalf("told of %d flows, expected 500", len(m))
	}
	for range 60 {
		r.judge(c, 10)
	}
	checkOrder(t, r.ports[1].out, 500+40)
	if led := r.ledger(); led.HandoffsFailed == 0 {
		t.Error("no hand-off failed")
	}
}

// A successor whose connection breaks while sub-flows are being handed to it is handed no more of them.
func TestASuccessorThatBreaksIsHandedNoMore(t *testing.T) {
	for _, full := range []bool{false, true} {
		r, a := big(t)
		b := r.hire(2)
		r.kill(a)
		r.feed(1000, 1020, 2)
		b.broken = true
		if full {
			b.window = 1
		}
		r.place(2, 2)
		r.turn(5)
		if !b.closed {
			t.Fatal("a broken connection is in use still")
		}
		c := r.hire(3)
		r.place(3, 3)
		r.turn(200)
		if m := told(t, c); len(m) != 500 {
			t.Errorf("told of %d flows, expected 500", len(m))
		}
	}
}

// One that does not apply what it is told within worker-timeout is lost like one that does not answer.
func TestHungWithinAnImport(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	b.mute = true
	r.kill(a)
	r.place(2, 2)
	r.turn(1)
	r.later(r.s.cfg.WorkerTimeout + time.Millisecond)
	r.turn(1)
	if !b.closed {
		t.Error("a worker that applies nothing of its import is connected still")
	}
}

// One that has stood by for longer than worker-timeout has that long, from the moment at which it is given state, to apply it.
func TestAStandbyHasTimeToApplyItsImport(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	b.mute = true
	r.later(2 * r.s.cfg.WorkerTimeout)
	a.heard, b.heard = r.s.clock.now, r.s.clock.now
	r.s.conns.all[0].progress = r.s.clock.now
	r.kill(a)
	r.place(2, 2)
	r.turn(1)
	r.later(r.s.cfg.WorkerTimeout / 2)
	r.turn(1)
	if b.closed {
		t.Fatalf("lost %v: it was given state half of worker-timeout ago", r.lost)
	}
	r.later(r.s.cfg.WorkerTimeout)
	r.turn(1)
	if !b.closed {
		t.Error("a worker that applies nothing of its import is connected still")
	}
}

// A holder that answers nothing while its sub-flow is drained is taken for gone, as far as that sub-flow goes: its packets are judged by the
// successor, and what it says later of them is ignored.
func TestSlowHolderIsNotWaitedFor(t *testing.T) {
	r := replicaRig(t)
	a := r.hire(1)
	r.place(1, 1)
	r.turn(1)
	r.feed(100, 110, 0)
	r.judge(a, 10)
	r.feed(100, 110, 1)
	b := r.hire(2)
	r.place(2, 2)
	r.turn(2)
	for i := range r.s.handoffs.all {
		r.s.handoffs.all[i].since -= r.s.drainLimit() + 1
	}
	r.turn(2)
	if len(b.refs) != 10 {
		t.Fatalf("%d packets are at the successor, expected the 10 that its predecessor did not answer", len(b.refs))
	}
	r.judge(a, 20)
	if len(r.ports[1].out) != 10 {
		t.Error("an answer of a worker that was released counted")
	}
	r.judge(b, 10)
	checkOrder(t, r.ports[1].out, 20)
	if led := r.ledger(); led.Late != 10 || led.ReplicaRefused != 10 {
		t.Errorf("%d verdicts late and %d entries refused, expected 10 each", led.Late, led.ReplicaRefused)
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
	r.turn(5)
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
	// Two others take half of them over: each gets what it needs although others inherited before.
	c := r.hire(3)
	d := r.hire(4)
	r.kill(b)
	r.split(3, 3, 4)
	r.turn(5)
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
		r.turn(3)
		if got := len(told(t, b)); got != want {
			t.Errorf("functions %s: the successor was told of %d flows, expected %d", functions, got, want)
		}
	}
}

// tellingLink is a worker that tells state of another flow with each answer, without allocating.
type tellingLink struct {
	*quietLink
	delta []byte
	n     uint16
}

func (l *tellingLink) Read(h relay.Handler) relay.Status {
	l.n++
	binary.LittleEndian.PutUint16(l.delta[12:], l.n|1) // of the key's first word, which is never 0
	h.State(l.delta, nil)
	return l.quietLink.Read(h)
}

// Keeping what workers tell allocates nothing, also when the replica is full and gives up what is old.
func TestReplicaAllocatesNothing(t *testing.T) {
	r := newRig(t, func(c *Config) {
		small, err := replica.New(replica.Config{Bytes: replica.MinBytes})
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
			delta = state.Append(delta, &state.Entry{Kind: state.Flow, NF: nf, Version: 1, Sub: w.subs[0], Key: keyOf(w.carried[0]), Data: []byte{'o', 'l', 'd', nf}})
		}
		delta = state.Append(delta, &state.Entry{Kind: state.Shared, NF: 1, Data: []byte("shared of b")})
		w.answers = append(w.answers, func(h relay.Handler) { h.State(delta, nil) })
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

// With another owner's sub-flow comes no say in its flows: a forged conntrack entry is not what the successor of an honest worker gets.
func TestForgedStateReachesNobody(t *testing.T) {
	r := newRig(t, func(c *Config) { withReplicas(t, c); c.Flows = 1024 })
	a, b := r.hire(1), r.hire(2)
	r.split(1, 1, 2)
	r.feed(100, 200, 0)
	honest := map[[6]uint64]string{}
	for _, f := range a.carried {
		honest[keyOf(f)] = string(bytes.Repeat([]byte{1}, 10))
	}
	if len(honest) < 20 || len(b.refs) < 20 {
		t.Fatalf("%d flows at the honest worker and %d at the other", len(honest), len(b.refs))
	}
	var forged []byte
	for k := range honest { // before the honest worker has said anything, under a sub-flow of the liar's, and under the true one
		for _, sub := range []uint16{b.subs[0], r.s.space.byFlow(r.s.flows.Hash((*packet.Key)(&k)))} {
			forged = state.Append(forged, &state.Entry{Kind: state.Flow, Sub: sub, Key: k, Data: []byte("established")})
		}
	}
	deltas := [][]byte{forged}
	for n := range uint64(100_000) { // and flows that are nobody's, as many at a time as are read
		if n%8000 == 0 {
			deltas = append(deltas, nil)
		}
		last := &deltas[len(deltas)-1]
		*last = state.Append(*last, &state.Entry{Kind: state.Flow, Sub: b.subs[0], Key: [6]uint64{n, 1}, Data: []byte{1}})
	}
	tell := func() {
		for _, d := range deltas {
			b.answers = append(b.answers, func(h relay.Handler) { h.State(d, nil) })
		}
		b.poke()
		r.turn(1)
	}
	tell()
	r.judge(a, 10)
	tell()
	r.feed(100, 200, 1)
	r.kill(a)
	c := r.hire(3)
	r.split(2, 3, 2)
	r.turn(50)
	if got := told(t, c); !maps.Equal(got, honest) {
		t.Errorf("the successor was told of %d flows, expected the %d of its predecessor, as that one said", len(got), len(honest))
	}
	if led := r.ledger(); led.ReplicaRefused == 0 || led.ReplicaEvicted == 0 {
		t.Errorf("%d entries refused and %d evicted: this tests nothing", led.ReplicaRefused, led.ReplicaEvicted)
	}
}

// A worker that has stood by for long is timed from when it is given state, not from when it came.
func TestStandbyIsTimedFromItsFirstState(t *testing.T) {
	r, a := big(t)
	b := r.hire(2)
	b.mute = true
	r.later(time.Minute)
	r.s.resolveOverdue()
	r.kill(a)
	r.place(2, 2)
	r.turn(1)
	r.s.due.overdue = 0
	r.turn(1)
	if b.closed {
		t.Error("a worker that was given state a moment ago is lost for not having applied it")
	}
}
