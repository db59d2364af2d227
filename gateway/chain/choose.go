package chain

import "github.com/granule-nf/granule/ingress/packet"

// Choose returns the index of the chain that takes the flow whose first packet is frame, wire bytes long, or -1 if none
// does. It allocates nothing.
func (p *Plan) Choose(frame []byte, wire uint32) int {
	for i := range p.Chains {
		if f := p.Chains[i].Filter; f == nil || f.Match(frame, wire) {
			return i
		}
	}
	return -1
}

// Classify is Choose in the shape that the packet path asks: frames there are whole, and no expression knows sides.
func (p *Plan) Classify(_ *packet.Info, frame []byte, _ bool) int {
	return p.Choose(frame, uint32(len(frame)))
}

// TakesAll reports whether the first chain takes every flow, so that nobody has to ask.
func (p *Plan) TakesAll() bool { return len(p.Chains) > 0 && p.Chains[0].Filter == nil }
