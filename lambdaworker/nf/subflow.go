package nf

import "github.com/granule-nf/granule/ingress/packet"

// SubFlows is how many sub-flows a stage has.
const SubFlows = 4096

// Of says of which sub-flow the packets are that are added from here on. A flow is in the sub-flow of its packets.
func (p *Pipeline) Of(sub uint16) { p.sub = sub }

// SetSub says of which sub-flow a flow is that a function has found by itself: that of the packet which led to it.
func (b *Batch) SetSub(flow uint32, sub uint16) {
	if b.pipeline != nil && flow != NoFlow {
		b.pipeline.subs[flow] = sub
	}
}

// gone is a flow that the table forgot.
type gone struct {
	key packet.Key
	sub uint16
}

// Release empties the stage of the flows of the sub-flows for which gone is true, without a trace in deltas and events: another worker has
// them now. It runs between two batches.
func (p *Pipeline) Release(gone *[SubFlows]bool) {
	p.flows.Each(func(flow uint32) {
		if s := p.subs[flow]; s < SubFlows && gone[s] {
			p.delete(flow)
		}
	})
	for _, f := range p.nfs {
		if s, ok := f.(EntryState); ok {
			s.ForgetEntries(func(sub uint16) bool { return sub < SubFlows && gone[sub] })
		}
	}
}
