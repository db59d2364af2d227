package dataplane

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

// modelWorker numbers the packets of each flow, forgets flows now and then, and does what it is sent in the order in which it was sent, as
// late as the test likes.
type modelWorker struct {
	*fakeLink
	todo  []func()
	knows map[[6]uint64]flowKnown
	part  []byte // an entry that goes on
}

type flowKnown struct {
	count uint64
	sub   uint16
}

func (w *modelWorker) Add(ref uint64, sub uint16, out bool, wire int, carried []byte, whole bool, at int64) {
	w.fakeLink.Add(ref, sub, out, wire, carried, whole, at)
	key := keyOf(carried)
	w.todo = append(w.todo, func() { w.judge(ref, sub, key) })
}

func (w *modelWorker) ImportState(part []byte, more bool) bool {
	part = append([]byte(nil), part...)
	w.todo = append(w.todo, func() {
		w.part = append(w.part, part...)
		in := state.Read(w.part)
		for e := (state.Entry{}); in.Next(&e); {
			if e.Kind == state.Gone || len(e.Data) == 0 {
				delete(w.knows, e.Key)
			} else {
				w.knows[e.Key] = flowKnown{binary.LittleEndian.Uint64(e.Data), e.Sub}
			}
		}
		if !more && in.Err() != nil {
			panic(in.Err())
		}
		w.part = append([]byte(nil), w.part[in.Offset():]...)
	})
	return true
}

func (w *modelWorker) Ping(mark int64) bool {
	w.todo = append(w.todo, func() { w.answers = append(w.answers, func(relay.Handler) { w.pong = mark }) })
	return true
}

func (w *modelWorker) Release(subs []uint16) bool {
	gone := map[uint16]bool{}
	for _, s := range subs {
		gone[s] = true
	}
	w.todo = append(w.todo, func() {
		for k, v := range w.knows {
			if gone[v.sub] {
				delete(w.knows, k)
			}
		}
	})
	return true
}

// judge makes the verdict of one packet: the number that it has in its flow, in place of what it carried.
func (w *modelWorker) judge(ref uint64, sub uint16, key [6]uint64) {
	n := w.knows[key].count + 1
	e := state.Entry{Kind: state.Flow, Sub: sub, Key: key, Data: append(binary.LittleEndian.AppendUint64(nil, n), make([]byte, int(n*37)%1500)...)}
	if n%11 == 0 { // the flow ends: the next packet starts another one
		e.Kind = state.Gone
		delete(w.knows, key)
	} else {
		w.knows[key] = flowKnown{n, sub}
	}
	delta := state.Append(nil, &e)
	w.refs, w.subs, w.carried = w.refs[1:], w.subs[1:], w.carried[1:]
	w.answers = append(w.answers, func(h relay.Handler) {
		h.State(delta, nil)
		h.Rewritten(ref, wire.RewroteHeaders, binary.BigEndian.AppendUint64(nil, n)) // over its MAC addresses
		h.Verdicts([]uint64{ref}, 0)
	})
}

// The protocol against a gateway with one worker that never stops: sub-flows are moved at random between workers that live, are late, stop
// reading, or die at any point of a hand-off; and each packet leaves with the number that the one worker would have given it, in order.
func TestHandoffsAgainstModel(t *testing.T) {
	handoffs, failed, drained := uint64(0), uint64(0), 0
	for seed := range uint64(12) {
		led, d := runHandoffModel(t, seed, 3000)
		handoffs += led.Handoffs
		failed += led.HandoffsFailed
		drained += d
	}
	t.Logf("%d hand-offs, %d given up, %d seen draining", handoffs, failed, drained)
	if handoffs < 3000 || failed < 100 || drained < 100 {
		t.Errorf("%d hand-offs, %d given up, %d seen draining: the model tests little", handoffs, failed, drained)
	}
}

func runHandoffModel(t *testing.T, seed uint64, steps int) (*Ledger, int) {
	rnd := rand.New(rand.NewPCG(seed, 9))
	r := newRig(t, func(c *Config) { withReplicas(t, c); c.Slots, c.MaxDelay, c.MaxDeaths = 1024, time.Hour, 100 })
	var ws []*modelWorker
	names, version, drained := uint32(0), uint64(0), 0
	alive := func() (as []*modelWorker) {
		for _, w := range ws {
			if !w.closed && !w.broken {
				as = append(as, w)
			}
		}
		ws = as
		return as
	}
	hire := func() {
		names++
		w := &modelWorker{fakeLink: newFakeLink(t, names, 1+rnd.IntN(60)), knows: map[[6]uint64]flowKnown{}}
		ws = append(ws, w)
		r.s.Connect(w, 0)
	}
	p := &Placement{Pools: make([]Pool, 1)}
	sent := map[uint16]uint64{}
	const flows = 24
	var subs []uint16
	for f := range uint16(flows) {
		k := keyOf(udp(1000+f, false, 0))
		subs = append(subs, r.s.space.byFlow(r.s.flows.Hash((*packet.Key)(&k))))
	}
	// place moves some sub-flows to workers that live, or to all of those that are lost.
	place := func() {
		as := alive()
		next := &Placement{Pools: make([]Pool, 1)}
		next.Pools[0] = p.Pools[0]
		there := map[uint32]bool{}
		for _, w := range as {
			there[w.worker] = true
		}
		for _, sub := range subs {
			switch id := next.Pools[0][sub]; {
			case len(as) == 0:
				next.Pools[0][sub] = 0
			case !there[id] || rnd.IntN(4) == 0:
				next.Pools[0][sub] = as[rnd.IntN(len(as))].worker
			}
		}
		version++
		next.Version = version
		p = next
		r.s.Place(p)
	}
	work := func(w *modelWorker, n int) {
		if w.stuck {
			return
		}
		for ; n > 0 && len(w.todo) > 0; n-- {
			f := w.todo[0]
			w.todo = w.todo[1:]
			f()
		}
		w.poke()
	}
	hire()
	for range steps {
		switch x := rnd.IntN(100); {
		case x < 40:
			for range rnd.IntN(12) {
				f := uint16(rnd.IntN(flows))
				sent[f]++
				r.ports[0].in = append(r.ports[0].in, udp(1000+f, false, sent[f]))
			}
		case x < 75:
			for _, w := range alive() {
				work(w, rnd.IntN(40))
			}
		case x < 79:
			if len(alive()) < 5 {
				hire()
			}
		case x < 81:
			if as := alive(); len(as) > 0 {
				w := as[rnd.IntN(len(as))]
				w.broken = true
				w.poke()
			}
		case x < 85:
			for _, w := range alive() {
				w.stuck = rnd.IntN(4) == 0
				w.poke()
			}
		case x < 87:
			for i := range r.s.handoffs.all { // a drain that takes too long
				r.s.handoffs.all[i].since -= r.s.drainLimit()
			}
		default:
			place()
		}
		for i := range r.s.handoffs.all {
			if h := &r.s.handoffs.all[i]; h.used && h.draining {
				drained++
			}
		}
		r.turn(1)
		for i := range r.s.conns.all {
			r.s.conns.all[i].progress = r.s.clock.now
		}
	}
	for range 400 { // all are answered in the end
		if as := alive(); len(as) == 0 {
			hire()
		}
		for _, w := range alive() {
			w.stuck = false
			work(w, 1000)
		}
		if rnd.IntN(10) == 0 {
			place()
		}
		r.turn(1)
	}
	got := map[uint16]uint64{}
	for _, f := range r.ports[1].out {
		flow, _ := flowOf(f)
		got[flow]++
		if n := binary.BigEndian.Uint64(f); n != (got[flow]-1)%11+1 {
			t.Fatalf("seed %d: packet %d of flow %d was judged as number %d, expected %d", seed, got[flow], flow, n, (got[flow]-1)%11+1)
		}
		if seqOf(f) != got[flow] {
			t.Fatalf("seed %d: packet %d of flow %d left as number %d", seed, seqOf(f), flow, got[flow])
		}
	}
	for f, n := range sent {
		if got[1000+f] != n {
			t.Fatalf("seed %d: %d packets of flow %d left, of %d", seed, got[1000+f], 1000+f, n)
		}
	}
	return r.ledger(), drained
}
