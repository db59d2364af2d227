package dataplane

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

// What a worker makes of packets, by the rights of its stage. One that oversteps is disconnected, nothing of what it did leaves, and the
// packet goes to its successor as it came; what no link could carry is dropped by its name.
func TestWorkersDoWhatTheirStageDoes(t *testing.T) {
	in := udp(5, false, 1)
	change := func(at int) []byte { f := bytes.Clone(in); f[at] ^= 1; return f }
	grow := func(n int) []byte { return append(bytes.Clone(in), make([]byte, n-len(in))...) }
	other := func(at int) []byte { f := udp(9, true, 7); f[at] ^= 1; return f }
	tagged := append(append(bytes.Clone(in[:12]), 0x81, 0, 0, 7), in[12:]...)
	const ttl, payload = 22, 50
	rewrite := func(what uint8, data []byte) func(relay.Handler, uint64) {
		return func(h relay.Handler, ref uint64) { h.Rewritten(ref, what, data) }
	}
	inject := func(n int, data []byte) func(relay.Handler, uint64) {
		return func(h relay.Handler, ref uint64) {
			for range n {
				h.Inject(ref, uint8(ingress.Inside), data)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		stage  Stage
		do     func(relay.Handler, uint64)
		lost   bool
		leaves []byte // nil: nothing
		why    Reason // keep: nothing is dropped
		back   int    // frames that leave on the inside
	}{
		{"nothing may be changed, and nothing is", Stage{}, rewrite(wire.RewroteWhole, in), false, in, keep, 0},
		{"a header where nothing may be changed", Stage{}, rewrite(wire.RewroteHeaders, change(ttl)[:42]), true, in, keep, 0},
		{"a payload where nothing may be changed", Stage{Whole: true}, rewrite(wire.RewroteWhole, change(payload)), true, in, keep, 0},
		{"a header", Stage{Writes: Headers}, rewrite(wire.RewroteHeaders, change(ttl)[:42]), false, change(ttl), keep, 0},
		{"a header in a whole packet", Stage{Writes: Headers, Whole: true}, rewrite(wire.RewroteWhole, change(ttl)), false, change(ttl), keep, 0},
		{"a payload where headers may be changed", Stage{Writes: Headers, Whole: true}, rewrite(wire.RewroteWhole, change(payload)), true, in, keep, 0},
		{"the length where headers may be changed", Stage{Writes: Headers, Whole: true}, rewrite(wire.RewroteWhole, grow(70)), true, in, keep, 0},
		{"headers longer than the frame", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteHeaders, grow(70)), true, in, keep, 0},
		{"a payload", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteWhole, change(payload)), false, change(payload), keep, 0},
		{"up to the MTU", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteWhole, grow(1514)), false, grow(1514), keep, 0},
		{"over the MTU", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteWhole, grow(1515)), false, nil, RewriteTooLong, 0},
		{"over the frame", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteWhole, grow(wire.MaxPacket)), false, nil, RewriteTooLong, 0},
		{"to nothing", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteWhole, nil), false, nil, RewriteTooShort, 0},
		{"to a byte", Stage{Writes: Full, Whole: true}, rewrite(wire.RewroteWhole, in[:1]), false, nil, RewriteTooShort, 0},

		{"a frame where none may be made", Stage{}, inject(1, udp(9, true, 7)), true, in, keep, 0},
		{"four frames", Stage{Injects: true}, inject(4, udp(9, true, 7)), false, in, keep, 4},
		{"five frames", Stage{Injects: true}, inject(5, udp(9, true, 7)), true, in, keep, 4},
		{"a frame to everybody", Stage{Injects: true}, inject(1, other(0)), true, in, keep, 0},
		{"a frame from somebody else", Stage{Injects: true}, inject(1, other(6)), true, in, keep, 0},
		{"a frame of another network", Stage{Injects: true}, inject(1, tagged), true, in, keep, 0},
		{"a frame of nothing", Stage{Injects: true}, inject(1, nil), false, in, InjectTooShort, 0},
		{"a frame of a byte", Stage{Injects: true}, inject(1, in[:1]), false, in, InjectTooShort, 0},
		{"a frame as long as the MTU", Stage{Injects: true}, inject(1, grow(1514)), false, in, keep, 1},
		{"a frame over the MTU", Stage{Injects: true}, inject(1, grow(1515)), false, in, InjectTooLong, 0},
		{"a frame of 65,000 bytes", Stage{Injects: true}, inject(1, grow(wire.MaxPacket)), false, in, InjectTooLong, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.stage.Name = "edge/0"
			r := newRig(t, func(c *Config) { c.Stages = []Stage{tt.stage} })
			a, b := r.hire(1), r.hire(2)
			r.place(1, 1)
			r.ports[0].in = [][]byte{in}
			r.turn(2)
			ref := a.refs[0]
			a.refs = nil
			a.answers = append(a.answers, func(h relay.Handler) { tt.do(h, ref); h.Verdicts([]uint64{ref}, 0) })
			a.poke()
			r.turn(2)
			if a.closed != tt.lost {
				t.Errorf("disconnected: %v, want %v", a.closed, tt.lost)
			}
			if tt.lost {
				if len(r.ports[1].out) > 0 {
					t.Error("the packet left with what the worker made of it")
				}
				r.place(2, 2)
				r.turn(3)
				b.answer(1, func(int) uint8 { return 0 })
				r.turn(2)
			}
			if out := r.ports[1].out; tt.leaves == nil && len(out) > 0 || tt.leaves != nil && (len(out) != 1 || !bytes.Equal(out[0], tt.leaves)) {
				t.Errorf("left: %x, want %x", out, tt.leaves)
			}
			if len(r.ports[0].out) != tt.back {
				t.Errorf("%d frames were injected, want %d", len(r.ports[0].out), tt.back)
			}
			led, dropped := r.ledger(), map[Reason]uint64{}
			for side := range led.Ports {
				for why, n := range led.Ports[side].Dropped {
					if n > 0 {
						dropped[Reason(why)] += n
					}
				}
			}
			want := map[Reason]uint64{}
			if tt.why != keep {
				want[tt.why] = 1
			}
			if fmt.Sprint(dropped) != fmt.Sprint(want) {
				t.Errorf("dropped %v, want %v", dropped, want)
			}
		})
	}
}

// A worker that violated the protocol is not heard to the end of what it has sent: neither state nor events nor verdicts.
func TestNothingCountsAfterAViolation(t *testing.T) {
	r := replicaRig(t)
	events := 0
	r.s.hooks.Events = func(int, []byte, uint32) { events++ }
	a, b := r.hire(1), r.hire(2)
	r.place(1, 1)
	r.turn(1)
	r.feed(100, 110, 0)
	refs := a.refs
	a.refs = nil
	a.answers = append(a.answers, func(h relay.Handler) {
		h.Verdicts(refs[:1], 0)
		h.Inject(refs[1], 0, make([]byte, 60))
		h.State([]byte("state that can't be read"), nil)
		h.Events([]byte("{}\n"), 0)
		h.Verdicts(refs[1:], 0)
	})
	a.poke()
	r.turn(1)
	if led := r.ledger(); len(r.ports[1].out) != 1 || led.ReplicaDamaged != 0 || events != 0 || !a.closed {
		t.Errorf("%d packets left, %d deltas damaged, %d events, disconnected: %v; want 1, 0, 0, true", len(r.ports[1].out), led.ReplicaDamaged, events, a.closed)
	}
	r.place(2, 2)
	r.turn(3)
	b.answer(100, func(int) uint8 { return 0 })
	r.turn(2)
	checkOrder(t, r.ports[1].out, 10)
}

// With another configuration come other rights, for the workers that run it.
func TestRightsComeWithTheWorkers(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Stages = []Stage{{Name: "edge/0"}} })
	r.hire(1)
	b := r.hire(2) // of the next generation
	r.place(1, 1)
	r.turn(1)
	p := &Placement{Version: 2, Pools: make([]Pool, 1), Layout: &Layout{Stages: []Stage{{Name: "edge/0", Writes: Full, Whole: true}}, Choose: r.s.cfg.Choose}}
	for sub := range p.Pools[0] {
		p.Pools[0][sub] = 2
	}
	r.s.Place(p)
	r.turn(2)
	in, want := udp(5, false, 1), udp(5, false, 2)
	r.ports[0].in = [][]byte{in}
	r.turn(2)
	ref := b.refs[0]
	b.refs = nil
	b.answers = append(b.answers, func(h relay.Handler) { h.Rewritten(ref, wire.RewroteWhole, want); h.Verdicts([]uint64{ref}, 0) })
	b.poke()
	r.turn(2)
	if out := r.ports[1].out; len(out) != 1 || !bytes.Equal(out[0], want) || b.closed {
		t.Errorf("left %x, want %x; disconnected: %v", out, want, b.closed)
	}
}
