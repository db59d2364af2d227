package dataplane

import (
	"slices"
	"testing"

	"github.com/granule-nf/granule/relay"
)

// mortals are workers that die of some packets: one after the other takes all sub-flows.
type mortals struct {
	r      *rig
	now    *fakeLink
	born   uint32
	deaths int
}

func (m *mortals) next() {
	m.born++
	m.now = newFakeLink(m.r.t, m.born, 1000)
	m.r.s.Connect(m.now, 0)
	m.r.place(uint64(m.born), m.born)
	m.r.turn(1)
}

// work lets workers answer whatever they are sent, and die of packets that kill, until there is nothing left to do. A dying worker
// answers none of the packets that it was sent together.
func (m *mortals) work(kills func(seq uint64) bool) {
	m.r.t.Helper()
	for range 1000 {
		if m.now.closed {
			m.deaths++
			m.next()
		}
		if len(m.now.refs) == 0 {
			return
		}
		if slices.ContainsFunc(m.now.refs, func(ref uint64) bool { return kills(seqOf(m.r.s.slots.frames[uint32(ref)].Data)) }) {
			m.now.broken = true
			m.now.poke()
		} else {
			m.now.answer(1000, func(int) uint8 { return 0 })
		}
		m.r.turn(1)
	}
	m.r.t.Fatal("the workers die for ever")
}

// A packet that kills every worker that reads it is settled after max-deaths of them; all others are answered, in order, and the
// flow goes on.
func TestPacketThatKills(t *testing.T) {
	for _, tt := range []struct {
		name      string
		maxDeaths int
		open      bool
		killers   []uint64
		deaths    int
	}{
		{"first", 3, false, []uint64{0}, 3},
		{"in the middle", 3, false, []uint64{77}, 3},
		{"last", 3, false, []uint64{149}, 3},
		{"policy open", 3, true, []uint64{77}, 3},
		{"two far apart", 3, false, []uint64{10, 120}, 5},
		{"two together", 3, false, []uint64{10, 12}, 4}, // of one flow
		{"two deaths", 2, false, []uint64{77}, 2},
		{"five deaths", 5, false, []uint64{77}, 5},
		{"none", 3, false, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.MaxDeaths, c.FailureClosed = tt.maxDeaths, !tt.open })
			m := &mortals{r: r}
			m.next()
			kills := func(seq uint64) bool { return slices.Contains(tt.killers, seq) }
			for seq := range uint64(150) { // one flow and others
				r.ports[0].in = append(r.ports[0].in, udp(uint16(5+seq%7*(seq%2)), false, seq))
			}
			r.turn(1)
			m.work(kills)
			for seq := range uint64(20) {
				r.ports[0].in = append(r.ports[0].in, udp(5, false, 1000+seq))
			}
			r.turn(1)
			m.work(kills)
			if m.deaths != tt.deaths {
				t.Errorf("%d workers died, expected %d", m.deaths, tt.deaths)
			}
			led := r.ledger()
			dropped, opened := uint64(len(tt.killers)), uint64(0)
			if tt.open {
				dropped, opened = 0, dropped
			}
			checkOrder(t, r.ports[1].out, 170-int(dropped))
			if led.Ports[0].Dropped[Poison] != dropped || led.OpenPoison != opened || led.Ports[0].InFlight != 0 {
				t.Errorf("poison: %d dropped, %d forwarded, %d in flight; expected %d, %d, 0", led.Ports[0].Dropped[Poison], led.OpenPoison, led.Ports[0].InFlight, dropped, opened)
			}
			for _, f := range r.ports[1].out {
				if kills(seqOf(f)) && !tt.open {
					t.Errorf("packet %d left", seqOf(f))
				}
			}
		})
	}
}

// A packet that makes workers lie costs as many as one that kills them.
func TestPacketThatMakesWorkersLie(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Verdicts = 3 })
	m := &mortals{r: r}
	m.next()
	r.ports[0].in = [][]byte{udp(5, false, 0), udp(5, false, 1), udp(5, false, 2)}
	r.turn(1)
	for range 20 {
		if m.now.closed {
			m.deaths++
			m.next()
		}
		at := m.now.refs
		m.now.answer(1000, func(i int) uint8 {
			if seqOf(r.s.slots.frames[uint32(at[i])].Data) == 1 {
				return 77
			}
			return 0
		})
		r.turn(1)
	}
	checkOrder(t, r.ports[1].out, 2)
	if n := r.ledger().Ports[0].Dropped[Poison]; n != 1 || m.deaths != 3 {
		t.Errorf("%d packets settled as poison after %d workers, expected 1 after 3", n, m.deaths)
	}
}

// A planned hand-over is no death, however many there are.
func TestHandOverIsNoDeath(t *testing.T) {
	r := newRig(t, nil)
	m := &mortals{r: r}
	m.next()
	for seq := range uint64(100) {
		r.ports[0].in = append(r.ports[0].in, udp(5, false, seq))
	}
	r.turn(1)
	for range 10 {
		m.next()
		r.s.Disconnect(m.now.worker-1, "replaced")
		r.turn(1)
		if len(m.now.refs) != 100 {
			t.Fatalf("the successor has %d packets, expected all 100 at once", len(m.now.refs))
		}
	}
	m.work(func(uint64) bool { return false })
	checkOrder(t, r.ports[1].out, 100)
}

// Deaths of one stage are not held against a packet in the next one.
func TestDeathsAreOfAStage(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Chains = []Chain{{Name: "edge", Stages: 2}}
		c.Stages = []Stage{{Name: "edge/0"}, {Name: "edge/1"}}
	})
	version := uint64(0)
	hire := func(worker uint32, pool int) *fakeLink {
		l := newFakeLink(t, worker, 100)
		r.s.Connect(l, pool)
		return l
	}
	place := func(first, second uint32) {
		version++
		p := &Placement{Version: version, Pools: make([]Pool, 2)}
		for i := range p.Pools[0] {
			p.Pools[0][i], p.Pools[1][i] = first, second
		}
		r.s.Place(p)
		r.turn(1)
	}
	die := func(l *fakeLink) {
		l.broken = true
		l.poke()
		r.turn(1)
	}
	r.ports[0].in = [][]byte{udp(5, false, 0), udp(6, false, 1)}
	for worker := range uint32(2) {
		l := hire(1+worker, 0)
		place(1+worker, 0)
		die(l)
	}
	a, b := hire(10, 0), hire(20, 1)
	place(10, 20)
	for range 2 { // alone, one after the other
		if len(a.refs) != 1 {
			t.Fatalf("%d packets that have met two deaths are at a worker together", len(a.refs))
		}
		a.answer(1, func(int) uint8 { return 0 })
		r.turn(1)
	}
	if len(b.refs) != 2 {
		t.Fatalf("the second stage has %d packets, expected both", len(b.refs))
	}
	die(b)
	c := hire(21, 1)
	place(10, 21)
	c.answers = append(c.answers, func(h relay.Handler) { h.Verdicts(c.refs, 0) })
	c.poke()
	r.turn(1)
	checkOrder(t, r.ports[1].out, 2)
}
