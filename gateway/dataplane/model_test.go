package dataplane

import (
	"slices"
	"testing"
	"time"
)

// Random sends, answers, deaths, placements, full ports and late packets, against the naive model: a list for each flow and
// direction. Sub-flows are split among workers and move between them. Whatever happens, each packet leaves once or is dropped once, in order, and the ledger closes in every turn.
func TestShardAgainstModel(t *testing.T) {
	poisoned := uint64(0)
	for seed := range uint64(10) {
		poisoned += runModel(t, seed, 2000)
	}
	if poisoned == 0 {
		t.Error("no packet met as many deaths as there may be: the model tests nothing of that")
	}
}

// checkSuspects checks that packets that have met deaths are at a worker among their like alone.
func checkSuspects(t *testing.T, s *Shard, l *fakeLink) {
	t.Helper()
	for _, ref := range l.refs {
		i, ok := s.slots.get(ref)
		if !ok {
			continue
		}
		switch d := int(s.slots.s[i].losses); {
		case d >= s.cfg.MaxDeaths:
			t.Fatalf("a packet that has met %d deaths was sent again", d)
		case d > 0 && len(l.refs) > quarantine, (d > 1 || d == s.cfg.MaxDeaths-1) && len(l.refs) > 1:
			t.Fatalf("a packet that has met %d deaths of %d is at a worker with %d others", d, s.cfg.MaxDeaths, len(l.refs)-1)
		}
	}
}

// runModel returns how many packets were settled as poison.
func runModel(t *testing.T, seed uint64, steps int) (poisoned uint64) {
	rnd := rng(t, seed)
	stages := 1 + rnd.IntN(2)
	r := newRig(t, func(c *Config) {
		c.Chains = []Chain{{Name: "c", Stages: stages}}
		c.Stages = slices.Repeat([]Stage{{Writes: Full, Injects: true}}, stages)
		c.FailureClosed, c.OverloadClosed = rnd.IntN(2) == 0, rnd.IntN(2) == 0
		c.Flows = 16 // fewer than there are flows: some share their sub-flow's order
		c.Slots = 128
		c.MaxDeaths = 2 + rnd.IntN(3)
	})
	// In every other run each worker has its share of the sub-flows until it leaves, as coordinators have it; in the others any sub-flow
	// moves to any worker at any time, and only what leaves the gateway is in order.
	splits, freely := 1+rnd.IntN(4), seed%2 == 1
	seats := make([][]*fakeLink, stages)
	for i := range seats {
		seats[i] = make([]*fakeLink, splits)
	}
	moved := 0
	said := &answers{rnd: rnd, s: r.s, became: map[uint64][]byte{}}
	type lane struct {
		flow uint16
		back bool
	}
	sent := map[lane][]uint64{}
	var links []*fakeLink
	pools := map[*fakeLink]int{}
	next, version := uint32(0), uint64(0)
	seq, total := uint64(0), 0

	connect := func() {
		next++
		l := newFakeLink(t, next, 1+rnd.IntN(40))
		links = append(links, l)
		pools[l] = rnd.IntN(stages)
		if !freely && pools[l] == 0 {
			orderAt(t, r.s, l)
		}
		r.s.Connect(l, pools[l])
	}
	alive := func() (ls []*fakeLink) {
		for _, l := range links {
			if !l.closed {
				ls = append(ls, l)
			}
		}
		return ls
	}
	// Some packets kill the worker that reads them, with all that it has not answered.
	poisonous := func(ref uint64) bool {
		i, ok := r.s.slots.get(ref)
		return ok && seqOf(r.s.slots.frames[i].Data)%61 == 60
	}
	place := func() {
		version++
		p := &Placement{Version: version, Pools: make([]Pool, stages)}
		for pool, seats := range seats {
			idle := alive()
			idle = slices.DeleteFunc(idle, func(l *fakeLink) bool { return pools[l] != pool || l.broken || slices.Contains(seats, l) })
			for k, l := range seats {
				if l != nil && (l.closed || l.broken) {
					l = nil
				}
				if n := len(idle); n > 0 && (l == nil || rnd.IntN(4) == 0) {
					l, idle = idle[n-1], idle[:n-1]
				}
				seats[k] = l
			}
			for sub := range p.Pools[pool] {
				k := sub % splits
				if freely {
					k = rnd.IntN(splits)
				}
				if l := seats[k]; l != nil {
					p.Pools[pool][sub] = l.worker
				}
				if r.s.placement != nil && p.Pools[pool][sub] != r.s.placement.Pools[pool][sub] {
					moved++
				}
			}
		}
		r.s.Place(p)
	}
	for range steps {
		switch x := rnd.IntN(100); {
		case x < 50:
			side := rnd.IntN(2)
			for range rnd.IntN(20) {
				k := lane{uint16(1000 + rnd.IntN(24)), side == 1}
				r.ports[side].in = append(r.ports[side].in, udp(k.flow, k.back, seq))
				sent[k] = append(sent[k], seq)
				seq++
				total++
			}
		case x < 85:
			for _, l := range alive() {
				if slices.ContainsFunc(l.refs, poisonous) {
					l.broken = true
					l.poke()
				}
				if !l.broken {
					said.give(l, rnd.IntN(30))
				}
			}
		case x < 88:
			connect()
			r.turn(1)
			place()
		case x < 91:
			if ls := alive(); len(ls) > 0 {
				l := ls[rnd.IntN(len(ls))]
				l.broken = true
				l.poke()
			}
		case x < 93:
			r.later(r.s.cfg.MaxDelay / 2)
			for i := range r.s.conns.all {
				r.s.conns.all[i].progress = r.s.clock.now
			}
		case x < 95:
			r.ports[rnd.IntN(2)].room = rnd.IntN(5)
		case x < 98:
			r.ports[0].room, r.ports[1].room = -1, -1
		default:
			place()
		}
		r.turn(1)
		for _, l := range alive() {
			checkSuspects(t, r.s, l)
		}
	}
	r.ports[0].room, r.ports[1].room = -1, -1
	for range 10 { // whatever is left settles, once the backlog on the ports has been taken in
		for len(r.ports[0].in)+len(r.ports[1].in) > 0 {
			r.turn(1)
			r.later(r.s.cfg.MaxDelay + time.Second)
		}
		r.turn(1)
		r.later(r.s.cfg.MaxDelay + time.Second)
	}
	led := r.ledger()
	if led.Ports[0].InFlight+led.Ports[1].InFlight != 0 {
		t.Fatalf("seed %d: %d packets are still in flight", seed, led.Ports[0].InFlight+led.Ports[1].InFlight)
	}
	left, injections := map[lane][]uint64{}, uint64(0)
	for side, p := range r.ports {
		for _, f := range p.out {
			if !said.left(t, f) {
				injections++
				continue
			}
			flow, back := flowOf(f)
			if back != (side == 0) {
				t.Fatalf("seed %d: a packet left on the side it came from", seed)
			}
			left[lane{flow, back}] = append(left[lane{flow, back}], seqOf(f))
		}
	}
	gone := 0
	for k, out := range left {
		all, i := sent[k], 0
		for _, s := range out {
			for i < len(all) && all[i] != s {
				i++
			}
			if i == len(all) {
				t.Fatalf("seed %d: flow %v: packet %d left twice or out of order", seed, k, s)
			}
			i++
		}
		gone += len(out)
	}
	for _, p := range led.Ports {
		poisoned += p.Dropped[Poison]
	}
	poisoned += led.OpenPoison
	dropped := 0
	var injected, notInjected, tooLong uint64
	for side := range led.Ports {
		for _, n := range led.Ports[side].Dropped {
			dropped += int(n)
		}
		notInjected += led.Ports[side].Dropped[InjectTxFull]
		tooLong += led.Ports[side].Dropped[RewriteTooLong]
		injected += led.Ports[side].Injected
	}
	if injected != said.injected || injections+notInjected != said.injected {
		t.Fatalf("seed %d: %d frames were injected by workers, %d by the ledger; %d left, %d found no room", seed, said.injected, injected, injections, notInjected)
	}
	if tooLong != said.tooLong {
		t.Fatalf("seed %d: %d packets were made too long, %d dropped for it", seed, said.tooLong, tooLong)
	}
	if said.lies == 0 || said.injected == 0 || said.tooLong == 0 || len(said.became) == 0 {
		t.Fatalf("seed %d: %d lies, %d injections, %d too long, %d rewritten: the model tests nothing of that", seed, said.lies, said.injected, said.tooLong, len(said.became))
	}
	dropped -= int(notInjected)
	if moved < SubFlows {
		t.Fatalf("seed %d: %d sub-flows moved from one worker to another: the model tests nothing of that", seed, moved)
	}
	if gone+dropped != total {
		t.Fatalf("seed %d: %d packets went in, %d left and %d were dropped", seed, total, gone, dropped)
	}
	return poisoned
}
