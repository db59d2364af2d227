package dataplane

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// firstIsFrom1 takes flows whose first packet comes from 10.0.0.1, as `src host 10.0.0.1` does.
func firstIsFrom1(f []byte, _ uint32) int {
	if f[14+12] == 10 && f[14+15] == 1 {
		return 0
	}
	return -1
}

// Both directions of a flow are at one worker, also where the chain's match holds for one of them alone.
func TestReplyFollowsItsFlow(t *testing.T) {
	for _, a := range []Affinity{ByFlow, ByInside, ByOutside} {
		r := newRig(t, func(c *Config) {
			c.Chains = []Chain{{Name: "limited", Stages: 1, Affinity: a}}
			c.Choose = firstIsFrom1
		})
		p := &Placement{Version: 1, Pools: make([]Pool, 1)}
		links := [2]*fakeLink{newFakeLink(t, 1, 1000), newFakeLink(t, 2, 1000)}
		for sub := range p.Pools[0] {
			p.Pools[0][sub] = uint32(1 + sub%2)
		}
		r.s.Connect(links[0], 0)
		r.s.Connect(links[1], 0)
		r.s.Place(p)
		r.turn(1)
		for flow := uint16(1000); flow < 1040; flow++ {
			r.ports[0].in = append(r.ports[0].in, udp(flow, false, 0))
			r.ports[1].in = append(r.ports[1].in, udp(flow, true, 1))
			r.turn(1)
			if n := [2]int{len(links[0].refs), len(links[1].refs)}; n != [2]int{2, 0} && n != [2]int{0, 2} {
				t.Errorf("affinity %d, flow %d: the workers have %d and %d of its 2 packets", a, flow, n[0], n[1])
			}
			for _, l := range links {
				l.answer(10, func(int) uint8 { return 0 })
			}
			r.turn(1)
		}
	}
}

// The same where the two directions arrive at different shards: the reply is not taken for a flow of its own there.
func TestReplyFollowsItsFlowToItsShard(t *testing.T) {
	for _, a := range []Affinity{ByFlow, ByInside, ByOutside} {
		p := newPair(t, func(c *Config) {
			c.Chains = []Chain{{Name: "limited", Stages: 1, Affinity: a}}
			c.Choose = firstIsFrom1
		})
		for _, r := range p {
			r.s.Connect(newFakeLink(t, 1, 1000), 0)
			r.place(1, 1)
		}
		p.turn(2)
		for flow := uint16(1000); flow < 1040; flow++ {
			p[flow%2].ports[0].in = append(p[flow%2].ports[0].in, udp(flow, false, 0))
			p.turn(2)
			p[0].ports[1].in = append(p[0].ports[1].in, udp(flow, true, 1))
			p.turn(2)
		}
		if n := p.total().Ports[1].Bypassed; n > 0 {
			t.Errorf("affinity %d: %d of 40 replies of flows that a chain has taken were bypassed", a, n)
		}
	}
}

// Beside a chain that follows addresses, the sub-flows of one that follows flows are of the shard as well, and are many.
func TestChainsOfBothKinds(t *testing.T) {
	chainOf := func(f []byte, _ uint32) int { return int(binary.BigEndian.Uint16(f[14+20:]) & 1) } // by the source port, which is the flow's number
	p := newPair(t, func(c *Config) {
		c.Chains = []Chain{{Name: "a", Stages: 1}, {Name: "b", First: 1, Stages: 1, Affinity: ByInside}}
		c.Stages = []Stage{{Name: "a/0"}, {Name: "b/0", Chain: 1}}
		c.Choose = chainOf
	})
	var links [2][2]*fakeLink
	for i, r := range p {
		for chain := range 2 {
			links[i][chain] = newFakeLink(t, uint32(1+chain), 1000)
			r.s.Connect(links[i][chain], chain)
		}
		placed := &Placement{Version: 1, Pools: make([]Pool, 2)}
		for sub := range SubFlows {
			placed.Pools[0][sub], placed.Pools[1][sub] = 1, 2
		}
		r.s.Place(placed)
	}
	p.turn(2)
	for flow := uint16(1000); flow < 1100; flow++ {
		p[flow/2%2].ports[0].in = append(p[flow/2%2].ports[0].in, udp(flow, false, 0))
		p.turn(2)
	}
	var seen [2][]uint16
	for i := range p {
		for chain, l := range links[i] {
			for _, sub := range l.subs {
				if int(sub)%2 != i {
					t.Errorf("shard %d has a packet of sub-flow %d, chain %d", i, sub, chain)
				}
				if !slices.Contains(seen[chain], sub) {
					seen[chain] = append(seen[chain], sub)
				}
			}
		}
	}
	if len(seen[1]) != 1 || len(seen[0]) < 40 { // one inside address
		t.Errorf("50 flows in %d sub-flows by flow and in %d by address; expected almost as many, and one", len(seen[0]), len(seen[1]))
	}
}

func TestAffinitiesThatShardsCantKeep(t *testing.T) {
	chains := []Chain{{Name: "a"}, {Name: "b", Affinity: ByInside}, {Name: "c", Affinity: ByOutside}}
	if _, err := affinity(chains, 1); err != nil {
		t.Error(err)
	}
	if _, err := affinity(chains, 2); err == nil || !strings.Contains(err.Error(), "chains b and c") {
		t.Errorf("error %v; expected one of chains b and c", err)
	}
	if a, err := affinity(chains[:2], 2); a != ByInside || err != nil {
		t.Errorf("affinity %d, error %v; expected that of chain b", a, err)
	}
}

// exceeded is the ICMP "time exceeded" that a router on the way sends back for the packet orig (RFC 792).
func exceeded(orig []byte, router [4]byte) []byte {
	f := make([]byte, 14+20+8, 128)
	copy(f, orig[:14])
	ip := f[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 1
	copy(ip[12:], router[:])
	copy(ip[16:], orig[14+12:14+16])
	ip[20] = 11
	f = append(f, orig[14:14+28]...)
	binary.BigEndian.PutUint16(f[16:], uint16(len(f)-14))
	return f
}

// A router's error goes to the worker that has the connection it speaks of, whatever the router's own address.
func TestErrorFollowsWhatItQuotes(t *testing.T) {
	for _, a := range []Affinity{ByFlow, ByInside, ByOutside} {
		r := newRig(t, func(c *Config) { c.Chains = []Chain{{Name: "nat", Stages: 1, Affinity: a}} })
		l := newFakeLink(t, 1, 1000)
		r.s.Connect(l, 0)
		r.place(1, 1)
		r.turn(1)
		for i := range 20 {
			out := udp(uint16(1000+i), false, 0)
			r.ports[0].in = append(r.ports[0].in, out)
			r.turn(1)
			quoted := slices.Clone(out)
			if a == ByOutside { // as it left: with the address that it was given on its way
				quoted[14+12] = 198
			}
			r.ports[1].in = append(r.ports[1].in, exceeded(quoted, [4]byte{192, 0, 2, byte(i)}))
			r.turn(1)
			if len(l.subs) != 2 || l.subs[0] != l.subs[1] {
				t.Fatalf("affinity %d: a packet and the error about it are of sub-flows %v", a, l.subs)
			}
			l.answer(2, func(int) uint8 { return 0 })
			r.turn(1)
		}
	}
}
