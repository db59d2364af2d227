package conntrack

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// fragment is the state of a fragment that is not its datagram's first, which is known. The kernel sees the datagram as a whole: what the first one was to its
// connection, the others are.
func (t *Tracker) fragment(p *nf.Packet) uint8 {
	switch p.Proto {
	case packet.ProtoTCP:
		c := t.alive(p)
		if c == nil {
			return StateInvalid // the first one has begun none
		}
		dir := direction(p, c)
		c.half[dir].end += uint32(p.FragmentLen()) // the first one's header spoke of its own data alone
		t.Changed = true
		return c.stateOf(dir == 1)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return t.icmp(p)
	case packet.ProtoUDP:
		return t.plain(p, t.timeouts.UDP, t.timeouts.UDPStream)
	case packet.ProtoUDPLite:
		return t.plain(p, t.timeouts.UDP, t.timeouts.GREStream)
	case packet.ProtoGRE:
		return t.plain(p, t.timeouts.GRE, t.timeouts.GREStream)
	}
	return t.plain(p, t.timeouts.Generic, t.timeouts.Generic)
}
