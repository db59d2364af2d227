package program

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// View is a packet as the kernel's nf_tables sees it: where it differs from packet.Info, the difference is made here.
type View struct {
	Packet    *nf.Packet
	Data      []byte
	End       int  // the datagram's end, or that of the bytes carried
	l4        int  // transport header
	Proto     int  // transport protocol, noL4 if unknown
	transport bool // a transport header starts at l4: no later fragment
	sport     int  // -1 if not there
	dport     int
	State     uint8 // ct state, one bit
	Mark      uint32
	Conn      conntrack.Conn // where Program.UsesConn
}

const noL4 = 256

// Look fills v from a packet of a kind other than NotIP with a whole IP header.
func (v *View) Look(p *nf.Packet) {
	v.Packet, v.Data = p, p.Data
	v.End = min(int(p.L3)+int(p.IPLen), len(p.Data))
	if p.Kind == packet.IPv6 && p.IPLen == 40 {
		v.End = min(int(p.End), len(p.Data)) // a jumbogram's length field is 0
	}
	v.Mark = 0
	v.l4, v.Proto = int(p.L4), int(p.Proto)
	v.transport = p.FragOff == 0
	if p.Kind == packet.IPv6 && v.l4 != int(p.L3)+40 {
		v.extensions()
	}
	v.sport, v.dport = -1, -1
	if !v.transport {
		if p.Learned { // the kernel has put it together by the time that it looks
			v.Proto = int(p.Proto)
			if p.LearnedPorts() {
				v.sport, v.dport = int(p.SrcPort), int(p.DstPort)
			}
		}
		return
	}
	switch {
	case v.l4+4 <= v.End:
		v.sport = int(binary.BigEndian.Uint16(v.Data[v.l4:]))
		v.dport = int(binary.BigEndian.Uint16(v.Data[v.l4+2:]))
	case v.l4+2 <= v.End:
		v.sport = int(binary.BigEndian.Uint16(v.Data[v.l4:]))
	}
}

// extensions takes the rare IPv6 packets with extension headers to where the kernel takes them: it stops at an
// authentication or mobility header, and knows no transport where the chain is broken or goes on in a later fragment.
func (v *View) extensions() {
	p := v.Packet
	at, next := int(p.L3)+40, v.Data[p.L3+6]
	for {
		switch next {
		case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoDstOpts, packet.ProtoFragment:
		default:
			v.l4, v.Proto = at, int(next)
			return
		}
		if at+8 > v.End {
			v.none()
			return
		}
		size := 8 + int(v.Data[at+1])*8
		if next == packet.ProtoFragment {
			size = 8
			if binary.BigEndian.Uint16(v.Data[at+2:])&^7 != 0 {
				v.l4, v.Proto, v.transport = at, int(v.Data[at]), false
				if extends(v.Data[at]) {
					v.none()
				}
				return
			}
		}
		next = v.Data[at]
		at += size
	}
}

// extends: the headers that the kernel counts as extensions, RFC 8200 section 4 and RFC 4302.
func extends(next byte) bool {
	switch next {
	case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoFragment, packet.ProtoAH, packet.ProtoDstOpts:
		return true
	}
	return false
}

func (v *View) none() { v.l4, v.Proto, v.transport = 0, noL4, false }

// shape is the index of network and transport protocol in the first of the class tables.
func (v *View) shape() int {
	if v.Packet.Kind == packet.IPv6 {
		return shapes/2 + v.Proto
	}
	return v.Proto
}

const shapes = 2 * (noL4 + 1)

// Load returns the value of f, and whether the packet has that field.
func (v *View) Load(f ruleset.Field) (ruleset.U128, bool) {
	p := v.Packet
	if k := ruleset.Fields[f].L3; k != packet.NotIP && k != p.Kind {
		return ruleset.U128{}, false
	}
	l3 := v.Data[p.L3:]
	switch f {
	case ruleset.IP4Src:
		return ruleset.Num(uint64(binary.BigEndian.Uint32(l3[12:]))), true
	case ruleset.IP4Dst:
		return ruleset.Num(uint64(binary.BigEndian.Uint32(l3[16:]))), true
	case ruleset.IP6Src:
		return ruleset.U128{Hi: binary.BigEndian.Uint64(l3[8:]), Lo: binary.BigEndian.Uint64(l3[16:])}, true
	case ruleset.IP6Dst:
		return ruleset.U128{Hi: binary.BigEndian.Uint64(l3[24:]), Lo: binary.BigEndian.Uint64(l3[32:])}, true
	case ruleset.IP4Protocol:
		return ruleset.Num(uint64(l3[9])), true
	case ruleset.IP6NextHeader:
		return ruleset.Num(uint64(l3[6])), true
	case ruleset.MetaL4Proto:
		return ruleset.Num(uint64(v.Proto)), v.Proto != noL4
	case ruleset.MetaNFProto:
		return ruleset.Num(ruleset.NFProtoOf(p.Kind)), true
	case ruleset.TransportSrc:
		return ruleset.Num(uint64(v.sport)), v.sport >= 0
	case ruleset.TransportDst:
		return ruleset.Num(uint64(v.dport)), v.dport >= 0
	case ruleset.TCPFlags:
		return v.byteAt(13)
	case ruleset.TCPWindow:
		return v.wordAt(14)
	case ruleset.UDPLength:
		return v.wordAt(4)
	case ruleset.ICMPType, ruleset.ICMP6Type:
		if p.Learned && p.FragOff != 0 {
			return ruleset.Num(uint64(p.ICMPType)), isICMP(p.Proto)
		}
		return v.byteAt(0)
	case ruleset.ICMPCode, ruleset.ICMP6Code:
		if p.Learned && p.FragOff != 0 {
			return ruleset.Num(uint64(p.ICMPCode)), isICMP(p.Proto)
		}
		return v.byteAt(1)
	case ruleset.IP4TTL, ruleset.IP6HopLimit:
		return ruleset.Num(uint64(p.TTL)), true
	case ruleset.IP4DSCP, ruleset.IP6DSCP:
		return ruleset.Num(uint64(p.TOS >> 2)), true
	case ruleset.IP4FragOff:
		return ruleset.Num(uint64(binary.BigEndian.Uint16(l3[6:]))), true
	case ruleset.IP4ID:
		return ruleset.Num(uint64(binary.BigEndian.Uint16(l3[4:]))), true
	case ruleset.IP4Length:
		return ruleset.Num(uint64(binary.BigEndian.Uint16(l3[2:]))), true
	case ruleset.IP6Length:
		return ruleset.Num(uint64(binary.BigEndian.Uint16(l3[4:]))), true
	case ruleset.IP6FlowLabel:
		return ruleset.Num(uint64(binary.BigEndian.Uint32(l3) & 0xfffff)), true
	case ruleset.MetaLength:
		return ruleset.Num(uint64(p.IPLen)), true
	case ruleset.CTState:
		return ruleset.Num(uint64(v.State)), true
	case ruleset.VLANID:
		return ruleset.Num(uint64(p.VLAN[0] & 0xfff)), p.VLANs > 0
	case ruleset.InIface:
		return ruleset.Num(uint64(p.From)), true
	case ruleset.OutIface:
		return ruleset.Num(uint64(p.From ^ 1)), true
	case ruleset.IP6HasFragment:
		if p.Frag {
			return ruleset.Num(1), true
		}
		return ruleset.Num(0), true
	}
	return v.loadRare(f)
}

func isICMP(proto uint8) bool { return proto == packet.ProtoICMP || proto == packet.ProtoICMPv6 }

// byteAt and wordAt load from the transport header as far as the packet goes, whole header or not.
func (v *View) byteAt(off int) (ruleset.U128, bool) {
	if at := v.l4 + off; v.transport && at < v.End {
		return ruleset.Num(uint64(v.Data[at])), true
	}
	return ruleset.U128{}, false
}

func (v *View) wordAt(off int) (ruleset.U128, bool) {
	if at := v.l4 + off; v.transport && at+2 <= v.End {
		return ruleset.Num(uint64(binary.BigEndian.Uint16(v.Data[at:]))), true
	}
	return ruleset.U128{}, false
}
