package chain

import "github.com/granule-nf/granule/gateway/chain/match"

// Filters are the match expressions of chains, in order; nil takes every flow.
type Filters []*match.Filter

// Choose returns the index of the chain that takes the flow whose first packet is frame, wire bytes long, or -1 if none
// does. It allocates nothing.
func (fs Filters) Choose(frame []byte, wire uint32) int {
	for i, f := range fs {
		if f == nil || f.Match(frame, wire) {
			return i
		}
	}
	return -1
}

// Choose is that of the plan's filters.
func (p *Plan) Choose(frame []byte, wire uint32) int {
	for i := range p.Chains {
		if f := p.Chains[i].Filter; f == nil || f.Match(frame, wire) {
			return i
		}
	}
	return -1
}

// Datagrams reports whether a function of any chain wants fragments to be judged as what their datagram is.
func (p *Plan) Datagrams() bool {
	for i := range p.Chains {
		for j := range p.Chains[i].Stages {
			if p.Chains[i].Stages[j].Needs.Datagrams {
				return true
			}
		}
	}
	return false
}
