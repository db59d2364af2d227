// Package classify says what the gateway does with a packet by its bytes alone, before any flow is looked up: the running gateway
// and `granule replay` have these rules in common. It holds no state and allocates nothing.
//
//	classify.go  the class of a packet, the key of its flow, and the chain of a flow's first packet
//	layer2.go    what crosses at layer 2 unjudged, and in which form (layer2_list.go: the setting that says so)
package classify

import "github.com/granule-nf/granule/ingress/packet"

// Class is what becomes of a packet by its bytes alone.
type Class uint8

// Classes.
const (
	Judged    Class = iota // IP: it goes the way of its flow
	Bypassed               // it is on the list Rules.Layer2: no chain sees it
	NotIP                  // neither: no chain can see it, so it goes as what no chain wants
	Malformed              // its headers contradict each other and Rules.DropMalformed: it is dropped
)

// NoChain is the chain of a flow that no chain wants.
const NoChain = 255

// Chooser returns the number of the chain that wants a flow, by the flow's first packet; -1 if none does. It borrows frame; wire is
// the length that the packet had on the wire.
type Chooser func(frame []byte, wire uint32) int

// Rules are the part of the configuration that decides on classes and chains.
type Rules struct {
	Choose        Chooser
	DropMalformed bool // drop packets whose headers contradict each other, rather than to judge them as far as they can be read
	DropUnmatched bool // drop packets that are not IP, and those of flows whose chain is NoChain, rather than to let them bypass
	Layer2        Layer2
	Datagrams     bool // fragments are judged as what their datagram is: they wait for its first one (package fragment)
}

// Packet is what the rules found out about one packet.
type Packet struct {
	Info    packet.Info
	Key     packet.Key // of its flow; only if Class is Judged, or Bypassed and it is IP. Of an ICMP error it is that of the packet quoted
	Reverse bool       // it travels from the higher endpoint of Key to the lower
	Class   Class
	Layer2  uint8 // which of the list it is, if Class is Bypassed: an index into Layer2.Names
}

// Packet fills p for frame, which had wire bytes on the wire.
func (r *Rules) Packet(frame []byte, wire uint32, p *Packet) {
	in := &p.Info
	packet.Parse(frame, int(wire), in)
	var crosses bool
	p.Layer2, crosses = r.Layer2.crosses(frame, in)
	switch {
	case in.Problem != packet.OK && r.DropMalformed:
		p.Class = Malformed
	case crosses:
		p.Class = Bypassed
		if in.Kind != packet.NotIP {
			p.Reverse = in.Key(frame, &p.Key)
		}
	case in.Kind == packet.NotIP:
		p.Class = NotIP
	default:
		p.Class = Judged
		p.Reverse = in.Key(frame, &p.Key)
	}
}

// Chain returns the chain of the flow whose first packet is frame, or NoChain.
func (r *Rules) Chain(frame []byte, wire uint32) uint8 {
	if c := r.Choose(frame, wire); c >= 0 {
		return uint8(c)
	}
	return NoChain
}
