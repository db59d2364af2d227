package dataplane

import "github.com/granule-nf/granule/ingress"

// Packets from inside go through a chain's stages in their order, packets from outside in reverse, as if stages were boxes on the wire;
// where the chain is fixed, all go in its order.

// entry is the stage that packets from that side meet first.
func (c *Chain) entry(from ingress.Side) uint8 {
	if from == ingress.Outside && !c.Fixed {
		return uint8(c.Stages - 1)
	}
	return 0
}

// next is the stage behind stage for packets from that side; false if it was the last.
func (c *Chain) next(stage uint8, from ingress.Side) (uint8, bool) {
	if from == ingress.Outside && !c.Fixed {
		return stage - 1, stage > 0
	}
	return stage + 1, int(stage)+1 < c.Stages
}
