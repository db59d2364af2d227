package chain

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
