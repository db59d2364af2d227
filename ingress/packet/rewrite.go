package packet

import "encoding/binary"

// SetSrc writes another source address (of the same family) and port into frame, and keeps all checksums right by what
// changed (RFC 1624): those over parts of a packet that were not carried stay right too. The port of an ICMP query is its identifier. port
// is not looked at where the packet has none. in is brought up to date.
func (in *Info) SetSrc(frame, addr []byte, port uint16) { in.set(frame, addr, port, 0) }

// SetDst is SetSrc for the destination.
func (in *Info) SetDst(frame, addr []byte, port uint16) { in.set(frame, addr, port, 1) }

func (in *Info) set(frame, addr []byte, port uint16, side int) {
	field := in.Src(frame)
	if side == 1 {
		field = in.Dst(frame)
	}
	sum := uint64(^fold16(Sum(0, field))) + uint64(fold16(Sum(0, addr))) // what leaves and what comes
	copy(field, addr)
	if in.Kind == IPv4 {
		adjust(frame[in.L3+10:], sum)
	}
	if !in.HasL4 {
		if in.Learned {
			in.setPort(port, side)
		}
		return
	}
	h := frame[in.L4:]
	at := -1
	switch {
	case in.HasPorts:
		at = 2 * side
		in.setPort(port, side)
	case isQuery(in.Proto, in.ICMPType) && len(h) >= 6:
		at = 4
		if in.Learned {
			in.setPort(port, side)
		}
	}
	if in.Proto == ProtoICMP {
		sum = 0 // covers no addresses
	}
	if at >= 0 {
		sum += uint64(^binary.BigEndian.Uint16(h[at:])) + uint64(port)
		binary.BigEndian.PutUint16(h[at:], port)
	}
	switch in.Proto {
	case ProtoTCP:
		adjust(h[16:], sum)
	case ProtoUDP, ProtoUDPLite:
		if h[6]|h[7] == 0 {
			return // none was sent
		}
		if adjust(h[6:], sum); h[6]|h[7] == 0 {
			h[6], h[7] = 0xff, 0xff // 0 would mean none
		}
	case ProtoICMP, ProtoICMPv6:
		adjust(h[2:], sum)
	}
}

func (in *Info) setPort(port uint16, side int) {
	if in.Proto == ProtoICMP || in.Proto == ProtoICMPv6 { // Learned: both are the identifier
		in.SrcPort, in.DstPort = port, port
		return
	}
	if side == 0 {
		in.SrcPort = port
	} else {
		in.DstPort = port
	}
}

// adjust updates the checksum at the start of field. sum holds the complement of what left and what came.
func adjust(field []byte, sum uint64) {
	if sum != 0 {
		binary.BigEndian.PutUint16(field, Fold(uint64(^binary.BigEndian.Uint16(field))+sum))
	}
}

// SetQuoted writes another address and port into the packet that an ICMP error quotes: into its source or its destination.
// It keeps the checksums right that the quotation carries, and that of the error. It reports false, and changes nothing, where there
// is no quotation that could be changed.
func (in *Info) SetQuoted(frame []byte, dst bool, addr []byte, port uint16) bool {
	if !in.HasL4 || in.Frag || !isError(in.Proto, in.ICMPType) {
		return false
	}
	end := min(int(in.End), len(frame))
	var q Info
	if !ParseQuoted(frame[:end], int(in.L4)+8, in.Kind, &q) || q.Frag && !q.FirstFrag {
		return false
	}
	// Everything that can change lies in the quoted IP header and the first 20 bytes behind it.
	from, to := int(q.L3), min(end, int(q.L4)+20)
	to -= (to - from) % 2
	var was [512]byte
	if to-from > len(was) {
		return false
	}
	n := copy(was[:], frame[from:to])
	if !q.HasL4 {
		q.setCut(frame[:end], dst, addr, port)
	} else if dst {
		q.SetDst(frame[:end], addr, port)
	} else {
		q.SetSrc(frame[:end], addr, port)
	}
	h := frame[in.L4:]
	binary.BigEndian.PutUint16(h[2:], UpdateBytes(binary.BigEndian.Uint16(h[2:]), was[:n], frame[from:to]))
	return true
}

// setCut changes addresses and ports of a quoted packet whose transport header was cut short, as RFC 792 has it: 8 bytes of TCP.
func (in *Info) setCut(frame []byte, dst bool, addr []byte, port uint16) {
	ports := in.HasPorts
	if dst {
		in.SetDst(frame, addr, port)
	} else {
		in.SetSrc(frame, addr, port)
	}
	if !ports {
		return
	}
	at := int(in.L4)
	if dst {
		at += 2
		in.DstPort = port
	} else {
		in.SrcPort = port
	}
	binary.BigEndian.PutUint16(frame[at:], port)
}

// KeyOf returns the key of packets from src to dst (4 or 16 bytes each) in the VLANs of like, and whether they travel from the
// higher endpoint to the lower. An ICMP echo has its identifier as both ports.
func KeyOf(like *Key, src, dst []byte, srcPort, dstPort uint16, proto uint8) (k Key, reverse bool) {
	kind := IPv6
	var a0, a1, b0, b1 uint64
	if len(src) == 4 {
		kind = IPv4
		a1, b1 = uint64(binary.BigEndian.Uint32(src)), uint64(binary.BigEndian.Uint32(dst))
	} else {
		a0, a1 = binary.BigEndian.Uint64(src), binary.BigEndian.Uint64(src[8:])
		b0, b1 = binary.BigEndian.Uint64(dst), binary.BigEndian.Uint64(dst[8:])
	}
	ap, bp := uint64(srcPort), uint64(dstPort)
	if reverse = a0 > b0 || a0 == b0 && (a1 > b1 || a1 == b1 && ap > bp); reverse {
		a0, a1, ap, b0, b1, bp = b0, b1, bp, a0, a1, ap
	}
	return Key{a0, a1, b0, b1, ap<<48 | bp<<32 | uint64(proto)<<16 | uint64(kind)<<12, like[5]}, reverse
}
