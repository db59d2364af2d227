package firewall

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
)

// loadRare is load for the fields that few rules ask for.
func (v *view) loadRare(f field) (u128, bool) {
	p := v.p
	l3 := v.data[p.L3:]
	switch f {
	case ip4Version, ip6Version:
		return num(uint64(l3[0] >> 4)), true
	case ip4HeaderLength:
		return num(uint64(l3[0] & 15)), true
	case ip4ECN, ip6ECN:
		return num(uint64(p.TOS & 3)), true
	case tcpSequence:
		return v.longAt(4)
	case tcpAckSeq:
		return v.longAt(8)
	case tcpDataOffset:
		x, ok := v.byteAt(12)
		return num(x.lo >> 4), ok
	case tcpUrgent:
		return v.wordAt(18)
	case tcpChecksum:
		return v.wordAt(16)
	case udpChecksum:
		return v.wordAt(6)
	case icmpID, icmp6ID:
		return v.wordAt(4)
	case icmpSequence, icmp6Sequence:
		return v.wordAt(6)
	case fragNextHeader, fragOffset, fragMore, fragID:
		return v.fragment(f)
	case metaProtocol:
		return num(uint64(p.EtherType)), true
	case etherType:
		return num(uint64(binary.BigEndian.Uint16(v.data[12:]))), true
	case packetType:
		return num(v.packetType()), true
	}
	return u128{}, false
}

func (v *view) longAt(off int) (u128, bool) {
	if at := v.l4 + off; v.transport && at+4 <= v.end {
		return num(uint64(binary.BigEndian.Uint32(v.data[at:]))), true
	}
	return u128{}, false
}

// packetType is the kernel's PACKET_HOST (0), _BROADCAST or _MULTICAST. It goes by the destination's Ethernet address. A router forwards what was sent to its own, which is PACKET_HOST.
func (v *view) packetType() uint64 {
	switch {
	case [6]byte(v.data) == [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return 1
	case v.data[0]&1 != 0:
		return 2
	}
	return 0
}

// fragment loads a field of the IPv6 fragment header, RFC 8200 section 4.5.
func (v *view) fragment(f field) (u128, bool) {
	at, next := int(v.p.L3)+40, v.data[v.p.L3+6]
	for next != packet.ProtoFragment {
		var size int
		switch {
		case at+8 > v.end:
			return u128{}, false
		case next == packet.ProtoAH:
			size = int(v.data[at+1])*4 + 8
		case next == packet.ProtoHopByHop || next == packet.ProtoRouting || next == packet.ProtoDstOpts:
			size = int(v.data[at+1])*8 + 8
		default:
			return u128{}, false
		}
		next = v.data[at]
		at += size
	}
	if at+8 > v.end {
		return u128{}, false
	}
	h := v.data[at : at+8]
	switch f {
	case fragNextHeader:
		return num(uint64(h[0])), true
	case fragOffset:
		return num(uint64(binary.BigEndian.Uint16(h[2:]) >> 3)), true
	case fragMore:
		return num(uint64(h[3] & 1)), true
	}
	return num(uint64(binary.BigEndian.Uint32(h[4:]))), true
}
