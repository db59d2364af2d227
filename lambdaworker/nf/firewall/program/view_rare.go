package program

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// loadRare is load for the fields that few rules ask for.
func (v *View) loadRare(f ruleset.Field) (ruleset.U128, bool) {
	p := v.Packet
	l3 := v.Data[p.L3:]
	switch f {
	case ruleset.IP4Version, ruleset.IP6Version:
		return ruleset.Num(uint64(l3[0] >> 4)), true
	case ruleset.IP4HeaderLength:
		return ruleset.Num(uint64(l3[0] & 15)), true
	case ruleset.IP4ECN, ruleset.IP6ECN:
		return ruleset.Num(uint64(p.TOS & 3)), true
	case ruleset.TCPSequence:
		return v.longAt(4)
	case ruleset.TCPAckSeq:
		return v.longAt(8)
	case ruleset.TCPDataOffset:
		x, ok := v.byteAt(12)
		return ruleset.Num(x.Lo >> 4), ok
	case ruleset.TCPUrgent:
		return v.wordAt(18)
	case ruleset.TCPChecksum:
		return v.wordAt(16)
	case ruleset.UDPChecksum:
		return v.wordAt(6)
	case ruleset.ICMPID, ruleset.ICMP6ID:
		return v.wordAt(4)
	case ruleset.ICMPSequence, ruleset.ICMP6Sequence:
		return v.wordAt(6)
	case ruleset.FragNextHeader, ruleset.FragOffset, ruleset.FragMore, ruleset.FragID:
		return v.fragment(f)
	case ruleset.MetaProtocol:
		return ruleset.Num(uint64(p.EtherType)), true
	case ruleset.EtherType:
		return ruleset.Num(uint64(binary.BigEndian.Uint16(v.Data[12:]))), true
	case ruleset.EtherDst:
		return ruleset.Num(ether(v.Data)), true
	case ruleset.EtherSrc:
		return ruleset.Num(ether(v.Data[6:])), true
	case ruleset.CTStatus:
		return ruleset.Num(uint64(v.Conn.Status)), v.Conn.Known
	case ruleset.CTDirection:
		return ruleset.Num(uint64(v.Conn.Direction)), v.Conn.Known
	case ruleset.CTMark:
		return ruleset.Num(uint64(v.Conn.Mark)), v.Conn.Known
	case ruleset.MetaMark:
		return ruleset.Num(uint64(v.Mark)), true
	case ruleset.PacketType:
		return ruleset.Num(v.packetType()), true
	}
	if kind, ok := ruleset.OptionKind(f); ok {
		return v.option(f, kind)
	}
	return ruleset.U128{}, false
}

func ether(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

// option loads a field of a TCP option (RFC 9293 section 3.1): as far as the header's length says and the packet goes.
func (v *View) option(f ruleset.Field, kind uint8) (ruleset.U128, bool) {
	exists := ruleset.IsOptionExists(f)
	if !v.transport || v.Proto != packet.ProtoTCP || v.l4+20 > v.End {
		return ruleset.U128{}, false
	}
	header := int(v.Data[v.l4+12]>>4) * 4
	if header < 20 || v.l4+header > v.End {
		return ruleset.U128{}, false
	}
	for o := v.Data[v.l4+20 : v.l4+header]; len(o) > 0 && o[0] != 0; {
		if o[0] == kind && exists {
			return ruleset.Num(1), true
		}
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			break
		}
		if o[0] == kind {
			switch {
			case f == ruleset.OptionMSS && o[1] >= 4:
				return ruleset.Num(uint64(binary.BigEndian.Uint16(o[2:]))), true
			case f == ruleset.OptionScale && o[1] >= 3:
				return ruleset.Num(uint64(o[2])), true
			}
		}
		o = o[o[1]:]
	}
	return ruleset.Num(0), exists
}

func (v *View) longAt(off int) (ruleset.U128, bool) {
	if at := v.l4 + off; v.transport && at+4 <= v.End {
		return ruleset.Num(uint64(binary.BigEndian.Uint32(v.Data[at:]))), true
	}
	return ruleset.U128{}, false
}

// packetType is the kernel's PACKET_HOST (0), _BROADCAST or _MULTICAST. It goes by the destination's Ethernet address. A router forwards what was sent to its own, which is PACKET_HOST.
func (v *View) packetType() uint64 {
	switch {
	case [6]byte(v.Data) == [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return 1
	case v.Data[0]&1 != 0:
		return 2
	}
	return 0
}

// fragment loads a field of the IPv6 fragment header, RFC 8200 section 4.5.
func (v *View) fragment(f ruleset.Field) (ruleset.U128, bool) {
	at, next := int(v.Packet.L3)+40, v.Data[v.Packet.L3+6]
	for next != packet.ProtoFragment {
		var size int
		switch {
		case at+8 > v.End:
			return ruleset.U128{}, false
		case next == packet.ProtoAH:
			size = int(v.Data[at+1])*4 + 8
		case next == packet.ProtoHopByHop || next == packet.ProtoRouting || next == packet.ProtoDstOpts:
			size = int(v.Data[at+1])*8 + 8
		default:
			return ruleset.U128{}, false
		}
		next = v.Data[at]
		at += size
	}
	if at+8 > v.End {
		return ruleset.U128{}, false
	}
	h := v.Data[at : at+8]
	switch f {
	case ruleset.FragNextHeader:
		return ruleset.Num(uint64(h[0])), true
	case ruleset.FragOffset:
		return ruleset.Num(uint64(binary.BigEndian.Uint16(h[2:]) >> 3)), true
	case ruleset.FragMore:
		return ruleset.Num(uint64(h[3] & 1)), true
	}
	return ruleset.Num(uint64(binary.BigEndian.Uint32(h[4:]))), true
}
