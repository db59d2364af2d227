package ids

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// reject tells the ends of the packet's flow that it was refused: a RST for TCP, an ICMP error for the rest. The gateway
// has no address; each end is told in the name of the other.
func (n *IDS) reject(action rule.Action) {
	if action != rule.RejectDst {
		n.tell(true)
	}
	if action != rule.Reject {
		n.tell(false)
	}
}

// tell sends the message to the packet's sender, or to its receiver.
func (n *IDS) tell(sender bool) {
	p := n.p
	if p != &n.b.Packets[n.i] || p.Wrapped() || p.Problem != packet.OK || !p.HasL4 {
		n.stats.RejectsLost++
		return
	}
	size := 0
	switch {
	case p.Proto == packet.ProtoTCP:
		if p.TCPFlags&packet.RST != 0 {
			return // RFC 9293 section 3.10.7.1: no reset for a reset
		}
		size = n.reset(sender)
	case packet.IsICMPError(p.Proto, p.ICMPType) || !sender:
		return // RFC 1122 section 3.2.2: no error about an error, and none to who asked for nothing
	default:
		size = n.unreachable()
	}
	to := p.From
	if !sender {
		to ^= 1
	}
	if n.b.Inject(n.i, to, n.answer[:size]) {
		n.stats.Rejects++
	} else {
		n.stats.RejectsLost++
	}
}

// network writes link and network header of a packet with size bytes behind them, and returns where those begin and the
// addresses.
func (n *IDS) network(sender bool, proto uint8, size int) (at int, src, dst []byte) {
	p, a := n.p, n.answer[:]
	l3 := int(p.L3)
	copy(a, p.Data[:l3])
	src, dst = p.Src(p.Data), p.Dst(p.Data)
	if sender {
		copy(a, p.Data[6:12])
		copy(a[6:], p.Data[:6])
		src, dst = dst, src
	}
	if p.Kind == packet.IPv4 {
		packet.IPv4Header(a[l3:l3+20]).Init(20+size, proto, src, dst)
		return l3 + 20, src, dst
	}
	packet.IPv6Header(a[l3:l3+40]).Init(size, proto, src, dst)
	return l3 + 40, src, dst
}

// reset makes a RST as RFC 9293 section 3.10.7 has it: to the sender in the name of the receiver, to the receiver as if
// the sender had sent it instead of the packet.
func (n *IDS) reset(sender bool) int {
	p := n.p
	h := packet.TCPHeader(p.Data[p.L4:])
	at, src, dst := n.network(sender, packet.ProtoTCP, 20)
	r := packet.TCPHeader(n.answer[at : at+20])
	if !sender {
		r.Init(h.SrcPort(), h.DstPort(), h.Seq(), h.Ack(), packet.RST|packet.ACK, 0)
	} else {
		length := uint32(p.PayloadLen())
		if h.Flags()&packet.SYN != 0 {
			length++
		}
		if h.Flags()&packet.FIN != 0 {
			length++
		}
		seq, flags := uint32(0), packet.RST|packet.ACK
		if h.Flags()&packet.ACK != 0 {
			seq = h.Ack()
		}
		r.Init(h.DstPort(), h.SrcPort(), seq, h.Seq()+length, flags, 0)
	}
	r.SetChecksum(src, dst)
	return at + 20
}

// unreachable makes "port unreachable" (RFC 792; RFC 4443 section 3.1) with the packet's headers quoted.
func (n *IDS) unreachable() int {
	p := n.p
	quote := p.Data[p.L3:min(int(p.L4)+8, int(p.End), len(p.Data))]
	quote = quote[:min(len(quote), 128)]
	proto := uint8(packet.ProtoICMP)
	if p.Kind == packet.IPv6 {
		proto = packet.ProtoICMPv6
	}
	at, src, dst := n.network(true, proto, 8+len(quote))
	h := packet.ICMPHeader(n.answer[at : at+8+len(quote)])
	copy(h[8:], quote)
	if p.Kind == packet.IPv4 {
		h.Init(3, 3, 0)
		h.SetChecksum()
	} else {
		h.Init(1, 4, 0)
		h.SetChecksum6(src, dst)
	}
	return at + 8 + len(quote)
}
