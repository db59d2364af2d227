package dataplane

import (
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
)

func subFlowOf(s *Shard, frame []byte) uint16 {
	var in packet.Info
	var key packet.Key
	packet.Parse(frame, len(frame), &in)
	in.Key(frame, &key)
	return uint16(key.Hash(s.cfg.Seed) % SubFlows)
}

// A flow that had to share an overflow entry, and then finds room in the table, keeps its order: its packets in the
// overflow queue may stand behind those of a flow of another chain, whose worker is slower.
func TestOrderWhenAFlowLeavesTheOverflowEntry(t *testing.T) {
	slowFlow, quickFlow := uint16(0), uint16(0)
	r := newRig(t, func(c *Config) {
		c.Flows = 16
		c.Chains = []Chain{{Name: "slow", Stages: 1}, {Name: "quick", First: 1, Stages: 1}}
		c.Stages = []Stage{{Name: "slow/0"}, {Chain: 1, Name: "quick/0"}}
		c.Choose = func(f []byte, _ uint32) int {
			if flow, _ := flowOf(f); flow == quickFlow {
				return 1
			}
			return 0
		}
	})
	slow, quick := newFakeLink(t, 1, 1000), newFakeLink(t, 2, 1000)
	r.s.Connect(slow, 0)
	r.s.Connect(quick, 1)
	p := &Placement{Version: 1, Pools: make([]Pool, 2)}
	for i := range p.Pools[0] {
		p.Pools[0][i], p.Pools[1][i] = 1, 2
	}
	r.s.Place(p)
	r.turn(1)
	feed := func(flow uint16, seq uint64) {
		r.ports[0].in = append(r.ports[0].in, udp(flow, false, seq))
		r.turn(1)
	}
	for flow := range uint16(16) {
		feed(1000+flow, 0)
	}
	// Two more flows that share a sub-flow.
	bySub := map[uint16]uint16{}
	for flow := uint16(2000); ; flow++ {
		if other, ok := bySub[subFlowOf(r.s, udp(flow, false, 0))]; ok {
			slowFlow, quickFlow = other, flow
			break
		}
		bySub[subFlowOf(r.s, udp(flow, false, 0))] = flow
	}
	feed(slowFlow, 0)
	feed(quickFlow, 0)
	if n := r.ledger().FlowTableFull; n != 2 {
		t.Fatalf("%d packets found the table full, expected 2", n)
	}
	slow.answer(16, func(int) uint8 { return 0 }) // there is room in the table again
	r.turn(1)
	quick.answer(1, func(int) uint8 { return 0 })
	feed(quickFlow, 1)
	quick.answer(1, func(int) uint8 { return 0 })
	r.turn(1)
	slow.answer(1, func(int) uint8 { return 0 })
	r.turn(1)
	checkOrder(t, r.ports[1].out, 19)
	feed(quickFlow, 2) // the overflow queue is empty: the flow has its own
	if e := r.s.flows.Entry(r.s.slots.s[uint32(quick.refs[0])].flow); e.Key == (packet.Key{}) {
		t.Error("the flow shares an overflow entry for ever")
	}
}
