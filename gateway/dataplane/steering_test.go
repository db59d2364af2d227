package dataplane

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress"
)

// The ring between two shards' threads: everything comes out once and in order, whatever the two do at the same time.
func TestCrossingBetweenThreads(t *testing.T) {
	const n = 200_000
	c := newRing(100)
	if len(c.at) != 128 {
		t.Fatalf("a ring for 100 has %d places", len(c.at))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := uint32(0); i < n; {
			if c.put(steered{frame: ingress.Frame{ID: i, Wire: i * 3}, side: ingress.Side(i & 1)}) {
				i++
			} else {
				runtime.Gosched()
			}
		}
	})
	for i := uint32(0); i < n; {
		x, ok := c.get()
		if !ok {
			runtime.Gosched()
			continue
		}
		if x.frame.ID != i || x.frame.Wire != i*3 || x.side != ingress.Side(i&1) {
			t.Errorf("place %d: got %+v", i, x)
			break
		}
		i++
	}
	for _, ok := c.get(); ok; _, ok = c.get() { // after a failure the writer must not spin for ever
	}
	if !t.Failed() {
		wg.Wait()
		if !c.empty() {
			t.Error("the ring is not empty in the end")
		}
	}
}

// pair is two shards that know each other, turned by hand in one goroutine.
type pair [2]*rig

func newPair(t testing.TB, change func(*Config)) (p pair) {
	shards := make([]*Shard, 2)
	for i := range p {
		p[i] = newRig(t, change)
		p[i].s.id = i
		shards[i] = p[i].s
	}
	if err := Join(shards); err != nil {
		t.Fatal(err)
	}
	return p
}

// turn turns both, and checks that both ledgers close.
func (p pair) turn(n int) {
	p[0].t.Helper()
	for range n {
		for _, r := range p {
			r.s.turn(false)
			if err := r.ledger().Check(); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// total is both ledgers.
func (p pair) total() *Ledger {
	l := p[0].ledger()
	l.Add(p[1].ledger())
	return l
}

func (p pair) held() (n int) {
	for _, r := range p {
		n += len(r.ports[0].held) + len(r.ports[1].held)
	}
	return n
}

// foreign is a flow that arrives on shard's queue and belongs to the other one.
func foreign(r *rig, shard int) uint16 {
	for flow := uint16(1000); ; flow++ {
		if int(subFlowOf(r.s, udp(flow, false, 0)))%2 != shard {
			return flow
		}
	}
}

// A packet on the wrong queue crosses to the shard that has its sub-flow, leaves by that one's port, and its frame comes home.
func TestPacketCrossesAndItsFrameComesHome(t *testing.T) {
	p := newPair(t, nil)
	l := newFakeLink(t, 1, 1000)
	p[1].s.Connect(l, 0)
	p[1].place(1, 1)
	p.turn(1)
	flow := foreign(p[0], 0)
	for i := range uint64(8) {
		p[0].ports[0].in = append(p[0].ports[0].in, udp(flow, false, i))
	}
	p.turn(1)
	if p[0].ledger().Crossed != 8 || p[0].ledger().Ports[0].Received != 0 || p[1].ledger().Ports[0].InFlight != 8 {
		t.Fatalf("crossed %d, counted here %d, in flight there %d; expected 8, 0, 8", p[0].ledger().Crossed, p[0].ledger().Ports[0].Received, p[1].ledger().Ports[0].InFlight)
	}
	if len(p[0].ports[0].held) != 8 {
		t.Fatalf("%d frames are held while their packets are away", len(p[0].ports[0].held))
	}
	l.answer(8, func(i int) uint8 { return uint8(i & 1) }) // half pass, half are dropped
	p.turn(2)
	if n := len(p[1].ports[1].out); n != 4 || len(p[0].ports[1].out) != 0 {
		t.Errorf("%d packets left by the owner's port, %d by the other's; expected 4 and 0", n, len(p[0].ports[1].out))
	}
	for i, f := range p[1].ports[1].out {
		if seqOf(f) != uint64(2*i) {
			t.Errorf("packet %d left in place %d", seqOf(f), i)
		}
	}
	if p.held() != 0 {
		t.Errorf("%d frames did not come home", p.held())
	}
}

// A shard that is behind by a full ring costs the packets that find it full, as overload, and none that were taken.
func TestFullCrossingIsOverload(t *testing.T) {
	p := newPair(t, nil)
	l := newFakeLink(t, 1, 10_000)
	p[1].s.Connect(l, 0)
	p[1].place(1, 1)
	p.turn(1)
	room, flow := uint64(len(p[1].s.steering.in[0].at)), foreign(p[0], 0)
	total := room + 300
	for i := range total {
		p[0].ports[0].in = append(p[0].ports[0].in, udp(flow, false, i))
	}
	for len(p[0].ports[0].in) > 0 {
		p[0].s.turn(false) // alone: the other one sleeps
	}
	led := p[0].ledger()
	if led.Crossed != room || led.Ports[0].Dropped[Overload] != 300 || led.Ports[0].Received != 300 {
		t.Fatalf("crossed %d, dropped as overload %d, counted here %d; expected %d, 300, 300", led.Crossed, led.Ports[0].Dropped[Overload], led.Ports[0].Received, room)
	}
	for range room {
		p.turn(1)
		l.answer(1000, func(int) uint8 { return 0 })
		if len(p[1].ports[1].out) == int(room) {
			break
		}
	}
	p.turn(2)
	checkOrder(t, p[1].ports[1].out, int(room))
	if p.held() != 0 {
		t.Errorf("%d frames did not come home", p.held())
	}
}

// Random packets on either queue of two shards, answers, deaths and late packets: each packet leaves once, in its flow's order, or is dropped
// once, and every frame comes home.
func TestTwoShardsAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		rnd := rng(t, seed)
		p := newPair(t, func(c *Config) { c.Slots, c.Flows = 128, 32 })
		var links [2]*fakeLink
		worker := uint32(0)
		start := func(shard int) {
			worker++
			links[shard] = newFakeLink(t, worker, 1+rnd.IntN(60))
			p[shard].s.Connect(links[shard], 0)
			p[shard].place(uint64(worker), worker)
		}
		start(0)
		start(1)
		p.turn(1)
		sent := map[uint16][]uint64{} // by flow; each has its own queue, as RSS has it
		total := uint64(0)
		for range 1000 {
			switch x := rnd.IntN(100); {
			case x < 55:
				shard := rnd.IntN(2)
				for range rnd.IntN(30) {
					flow := uint16(1000 + 2*rnd.IntN(12) + shard)
					p[shard].ports[0].in = append(p[shard].ports[0].in, udp(flow, false, total))
					sent[flow] = append(sent[flow], total)
					total++
				}
			case x < 95:
				links[rnd.IntN(2)].answer(rnd.IntN(60), func(int) uint8 { return uint8(max(0, rnd.IntN(10)-7)) })
			case x < 97:
				shard := rnd.IntN(2)
				links[shard].broken = true
				links[shard].poke()
				p[shard].turnOne()
				start(shard)
			default:
				p[rnd.IntN(2)].later(p[0].s.cfg.MaxDelay / 3)
			}
			if rnd.IntN(3) == 0 {
				p[rnd.IntN(2)].turnOne() // the other one is behind
			} else {
				p.turn(1)
			}
		}
		for left := 1; left > 0; {
			p.turn(1)
			for _, r := range p {
				r.later(r.s.cfg.MaxDelay + time.Second)
			}
			left = p.held() + len(p[0].ports[0].in) + len(p[1].ports[0].in)
		}
		led := p.total()
		out := led.Ports[0].Forwarded
		for _, n := range led.Ports[0].Dropped {
			out += n
		}
		if led.Ports[0].Received != total || out != total || led.Crossed == 0 {
			t.Fatalf("seed %d: %d packets went in, %d counted, %d left or were dropped, %d crossed", seed, total, led.Ports[0].Received, out, led.Crossed)
		}
		for shard, r := range p {
			next := map[uint16]int{}
			for _, f := range r.ports[1].out {
				flow, _ := flowOf(f)
				if int(subFlowOf(r.s, f))%2 != shard {
					t.Fatalf("seed %d: flow %d left by shard %d, which does not have it", seed, flow, shard)
				}
				for next[flow] < len(sent[flow]) && sent[flow][next[flow]] != seqOf(f) {
					next[flow]++
				}
				if next[flow] == len(sent[flow]) {
					t.Fatalf("seed %d: flow %d: packet %d left twice or out of order", seed, flow, seqOf(f))
				}
				next[flow]++
			}
		}
	}
}

// turnOne turns one shard of a pair: frames of the other one's ports may be held for it, which rig.turn does not know.
func (r *rig) turnOne() {
	r.t.Helper()
	r.s.turn(false)
	if err := r.ledger().Check(); err != nil {
		r.t.Fatal(err)
	}
}
