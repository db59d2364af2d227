package firewall

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// answers makes the packets that tell a sender of its rejected one. Since the gateway is a wire without an address, they
// come from the address that the packet was for.
type answers struct {
	frame [14 + 8 + 1280]byte
}

// Lengths of the IP packet that an ICMP error may have: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4.
const (
	errorMax4 = 576
	errorMax6 = 1280
)

// Rejected answers packet i as the rule says.
func (f *Firewall) Rejected(b *nf.Batch, i uint16, v *program.View, spec *ruleset.RejectWith) {
	a := &f.answers
	var n int
	if b.Packets[i].Wrapped() {
		f.stats[rejectsUnanswered]++ // labels and session headers of the way back are not known
		return
	}
	if spec.TCPReset {
		n = a.reset(v)
	} else {
		n = a.unreachable(v, spec)
	}
	if n > 0 && b.Inject(i, b.Packets[i].From, a.frame[:n]) {
		f.stats[rejectsAnswered]++
	} else {
		f.stats[rejectsUnanswered]++
	}
}

// link writes the Ethernet header with its tags, addresses swapped, and returns its length.
func (a *answers) link(v *program.View) int {
	l3 := int(v.Packet.L3)
	copy(a.frame[:], v.Data[6:12])
	copy(a.frame[6:], v.Data[:6])
	copy(a.frame[12:], v.Data[12:l3])
	return l3
}

// network writes an IP header for a packet of size bytes behind it, from the packet's destination to its source.
func (a *answers) network(v *program.View, at, size int, proto, tos byte) int {
	src, dst := v.Packet.Dst(v.Data), v.Packet.Src(v.Data)
	if v.Packet.Kind == packet.IPv4 {
		h := a.frame[at : at+20]
		clear(h)
		h[0], h[1] = 0x45, tos
		binary.BigEndian.PutUint16(h[2:], uint16(20+size))
		h[8], h[9] = 64, proto
		if proto == packet.ProtoTCP {
			h[6] = 0x40 // a RST need not be cut
		}
		copy(h[12:], src)
		copy(h[16:], dst)
		binary.BigEndian.PutUint16(h[10:], ^fold(sum(0, h)))
		return at + 20
	}
	h := a.frame[at : at+40]
	clear(h)
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(size))
	h[6], h[7] = proto, 64
	copy(h[8:], src)
	copy(h[24:], dst)
	return at + 40
}

// pseudo is the checksum of the pseudo header of an answer.
func pseudo(v *program.View, proto byte, size int) uint32 {
	s := sum(0, v.Packet.Src(v.Data))
	s = sum(s, v.Packet.Dst(v.Data))
	return s + uint32(proto) + uint32(size)
}

// reset makes a RST after RFC 9293 section 3.10.7.1: the connection does not exist. It returns its length, 0 if
// there must be none.
func (a *answers) reset(v *program.View) int {
	p := v.Packet
	if p.Frag || p.Proto != packet.ProtoTCP || !p.HasL4 || p.TCPFlags&packet.RST != 0 || v.Proto != packet.ProtoTCP {
		return 0
	}
	h := v.Data[p.L4:]
	at := a.network(v, a.link(v), 20, packet.ProtoTCP, 0)
	t := a.frame[at : at+20]
	clear(t)
	copy(t[0:], h[2:4])
	copy(t[2:], h[0:2])
	t[12] = 5 << 4
	if p.TCPFlags&packet.ACK != 0 {
		copy(t[4:8], h[8:12])
		t[13] = packet.RST
	} else {
		var s conntrack.Segment
		conntrack.ReadSegment(p, &s)
		binary.BigEndian.PutUint32(t[8:], s.End)
		t[13] = packet.RST | packet.ACK
	}
	binary.BigEndian.PutUint16(t[16:], ^fold(sum(pseudo(v, packet.ProtoTCP, 20), t)))
	return at + 20
}

// unreachable makes an ICMP destination unreachable that quotes the packet. It returns its length, 0 if there must be
// none (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
func (a *answers) unreachable(v *program.View, spec *ruleset.RejectWith) int {
	p := v.Packet
	if p.Frag && !p.FirstFrag || p.HasL4 && icmpProto(p.Proto) && conntrack.IsICMPError(p.Proto, p.ICMPType) || icmpProto(p.Proto) && !p.HasL4 {
		return 0
	}
	src, dst := p.Src(v.Data), p.Dst(v.Data)
	if !unicast(src) || !unicast(dst) || v.Data[0]&1 != 0 || unspecified(src) {
		return 0
	}
	head, longest := 20, errorMax4
	proto, typ, code, tos := byte(packet.ProtoICMP), byte(3), spec.Code4, p.TOS&0x1e|0xc0
	if p.Kind == packet.IPv6 {
		head, longest = 40, errorMax6
		proto, typ, code, tos = packet.ProtoICMPv6, 1, spec.Code6, 0
	}
	quote := v.Data[p.L3:v.End]
	quote = quote[:min(len(quote), longest-head-8)]
	size := 8 + len(quote)
	at := a.network(v, a.link(v), size, proto, tos)
	m := a.frame[at : at+size]
	clear(m[:8])
	m[0], m[1] = typ, code
	copy(m[8:], quote)
	s := uint32(0)
	if p.Kind == packet.IPv6 {
		s = pseudo(v, packet.ProtoICMPv6, size)
	}
	binary.BigEndian.PutUint16(m[2:], ^fold(sum(s, m)))
	return at + size
}

func icmpProto(proto uint8) bool { return proto == packet.ProtoICMP || proto == packet.ProtoICMPv6 }

// unicast reports whether a can be one host: not multicast, not broadcast.
func unicast(a []byte) bool {
	if len(a) == 4 {
		return a[0] < 224
	}
	return a[0] != 0xff
}

func unspecified(a []byte) bool {
	for _, b := range a {
		if b != 0 {
			return false
		}
	}
	return true
}

// sum adds b to an Internet checksum (RFC 1071) that is not folded yet.
func sum(s uint32, b []byte) uint32 {
	for len(b) >= 2 {
		s += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
