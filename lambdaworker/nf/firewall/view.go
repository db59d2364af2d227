package firewall

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// view is a packet as the kernel's nf_tables sees it: where it differs from packet.Info, the difference is made here.
type view struct {
	p         *nf.Packet
	data      []byte
	end       int  // the datagram's end, or that of the bytes carried
	l4        int  // transport header
	proto     int  // transport protocol, noL4 if unknown
	transport bool // a transport header starts at l4: no later fragment
	sport     int  // -1 if not there
	dport     int
	state     uint8 // ct state, one bit
}

const noL4 = 256

// look fills v from a packet of a kind other than NotIP with a whole IP header.
func (v *view) look(p *nf.Packet) {
	v.p, v.data = p, p.Data
	v.end = min(int(p.L3)+int(p.IPLen), len(p.Data))
	if p.Kind == packet.IPv6 && p.IPLen == 40 {
		v.end = min(int(p.End), len(p.Data)) // a jumbogram's length field is 0
	}
	v.l4, v.proto = int(p.L4), int(p.Proto)
	v.transport = p.FragOff == 0
	if p.Kind == packet.IPv6 && v.l4 != int(p.L3)+40 {
		v.extensions()
	}
	v.sport, v.dport = -1, -1
	if !v.transport {
		return
	}
	switch {
	case v.l4+4 <= v.end:
		v.sport = int(binary.BigEndian.Uint16(v.data[v.l4:]))
		v.dport = int(binary.BigEndian.Uint16(v.data[v.l4+2:]))
	case v.l4+2 <= v.end:
		v.sport = int(binary.BigEndian.Uint16(v.data[v.l4:]))
	}
}

// extensions takes the rare IPv6 packets with extension headers to where the kernel takes them: it stops at an
// authentication or mobility header, and knows no transport where the chain is broken or goes on in a later fragment.
func (v *view) extensions() {
	p := v.p
	at, next := int(p.L3)+40, v.data[p.L3+6]
	for {
		switch next {
		case packet.ProtoHopByHop, packet.ProtoRouting, packet.ProtoDstOpts, packet.ProtoFragment:
		default:
			v.l4, v.proto = at, int(next)
			return
		}
		if at+8 > v.end {
			v.none()
			return
		}
		size := 8 + int(v.data[at+1])*8
		if next == packet.ProtoFragment {
			size = 8
			if binary.BigEndian.Uint16(v.data[at+2:])&^7 != 0 {
				v.l4, v.proto, v.transport = at, int(v.data[at]), false
				if extends(v.data[at]) {
					v.none()
				}
				return
			}
		}
		next = v.data[at]
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

func (v *view) none() { v.l4, v.proto, v.transport = 0, noL4, false }

// shape is the index of network and transport protocol in the first of the class tables.
func (v *view) shape() int {
	if v.p.Kind == packet.IPv6 {
		return shapes/2 + v.proto
	}
	return v.proto
}

const shapes = 2 * (noL4 + 1)

// load returns the value of f, and whether the packet has that field.
func (v *view) load(f field) (u128, bool) {
	p := v.p
	if k := fields[f].l3; k != packet.NotIP && k != p.Kind {
		return u128{}, false
	}
	l3 := v.data[p.L3:]
	switch f {
	case ip4Src:
		return num(uint64(binary.BigEndian.Uint32(l3[12:]))), true
	case ip4Dst:
		return num(uint64(binary.BigEndian.Uint32(l3[16:]))), true
	case ip6Src:
		return u128{binary.BigEndian.Uint64(l3[8:]), binary.BigEndian.Uint64(l3[16:])}, true
	case ip6Dst:
		return u128{binary.BigEndian.Uint64(l3[24:]), binary.BigEndian.Uint64(l3[32:])}, true
	case ip4Protocol:
		return num(uint64(l3[9])), true
	case ip6NextHeader:
		return num(uint64(l3[6])), true
	case metaL4Proto:
		return num(uint64(v.proto)), v.proto != noL4
	case metaNFProto:
		return num(nfprotoOf(p.Kind)), true
	case transportSrc:
		return num(uint64(v.sport)), v.sport >= 0
	case transportDst:
		return num(uint64(v.dport)), v.dport >= 0
	case tcpFlags:
		return v.byteAt(13)
	case tcpWindow:
		return v.wordAt(14)
	case udpLength:
		return v.wordAt(4)
	case icmpType, icmp6Type:
		return v.byteAt(0)
	case icmpCode, icmp6Code:
		return v.byteAt(1)
	case ip4TTL, ip6HopLimit:
		return num(uint64(p.TTL)), true
	case ip4DSCP, ip6DSCP:
		return num(uint64(p.TOS >> 2)), true
	case ip4FragOff:
		return num(uint64(binary.BigEndian.Uint16(l3[6:]))), true
	case ip4ID:
		return num(uint64(binary.BigEndian.Uint16(l3[4:]))), true
	case ip4Length:
		return num(uint64(binary.BigEndian.Uint16(l3[2:]))), true
	case ip6Length:
		return num(uint64(binary.BigEndian.Uint16(l3[4:]))), true
	case ip6FlowLabel:
		return num(uint64(binary.BigEndian.Uint32(l3) & 0xfffff)), true
	case metaLength:
		return num(uint64(p.IPLen)), true
	case ctState:
		return num(uint64(v.state)), true
	case vlanID:
		return num(uint64(p.VLAN[0] & 0xfff)), p.VLANs > 0
	case inSide:
		return num(uint64(p.From)), true
	case outSide:
		return num(uint64(p.From ^ 1)), true
	case ip6HasFragment:
		if p.Frag {
			return num(1), true
		}
		return num(0), true
	}
	return v.loadRare(f)
}

// byteAt and wordAt load from the transport header as far as the packet goes, whole header or not.
func (v *view) byteAt(off int) (u128, bool) {
	if at := v.l4 + off; v.transport && at < v.end {
		return num(uint64(v.data[at])), true
	}
	return u128{}, false
}

func (v *view) wordAt(off int) (u128, bool) {
	if at := v.l4 + off; v.transport && at+2 <= v.end {
		return num(uint64(binary.BigEndian.Uint16(v.data[at:]))), true
	}
	return u128{}, false
}
