package packet

import "encoding/binary"

// Upper is what the first fragment of a datagram says of its upper layer, and later ones can't: they carry none of its header. The zero
// value says nothing.
type Upper struct {
	Known              bool
	Proto              uint8
	HasPorts           bool
	HasICMP            bool
	SrcPort, DstPort   uint16 // of an ICMP echo, its identifier
	ICMPType, ICMPCode uint8
}

// Upper returns what a first fragment says.
func (in *Info) Upper(frame []byte) Upper {
	u := Upper{Known: true, Proto: in.Proto, HasPorts: in.HasPorts, SrcPort: in.SrcPort, DstPort: in.DstPort}
	if in.HasL4 && (in.Proto == ProtoICMP || in.Proto == ProtoICMPv6) {
		u.HasICMP, u.ICMPType, u.ICMPCode = true, in.ICMPType, in.ICMPCode
		if isQuery(in.Proto, in.ICMPType) && int(in.L4)+6 <= len(frame) {
			u.SrcPort = binary.BigEndian.Uint16(frame[in.L4+4:])
			u.DstPort = u.SrcPort
		}
	}
	return u
}

// SetUpper makes in that of a fragment whose datagram's first one said u: it is Learned, and protocol, ports, ICMP type and code are the
// datagram's. HasL4 and HasPorts stay: a later fragment has no transport header.
func (in *Info) SetUpper(u Upper) {
	if !in.Frag || !u.Known {
		return
	}
	in.Learned = true
	in.Proto, in.SrcPort, in.DstPort = u.Proto, u.SrcPort, u.DstPort
	if u.HasICMP {
		in.ICMPType, in.ICMPCode = u.ICMPType, u.ICMPCode
	}
}

// LearnedPorts reports whether in is of a later fragment whose ports are known.
func (in *Info) LearnedPorts() bool { return in.Learned && in.FragOff != 0 && hasPorts(in.Proto) }

func hasPorts(proto uint8) bool {
	switch proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP, ProtoUDPLite:
		return true
	}
	return false
}

// Headless reports whether in is of a first fragment that lacks what makes its datagram judgeable: the chain of its headers ends behind it
// (RFC 7112), or it has no ports where there should be some.
func (in *Info) Headless() bool {
	return in.FirstFrag && (in.Problem == BadExtension || hasPorts(in.Proto) && !in.HasPorts)
}

// UpperBytes is the length of an Upper in bytes.
const UpperBytes = 8

// Append appends u as UpperBytes bytes: protocol, flags (1: ports, 2: ICMP), source and destination port, ICMP type and code.
func (u *Upper) Append(dst []byte) []byte {
	flags := byte(0)
	if u.HasPorts {
		flags |= 1
	}
	if u.HasICMP {
		flags |= 2
	}
	return append(dst, u.Proto, flags, byte(u.SrcPort>>8), byte(u.SrcPort), byte(u.DstPort>>8), byte(u.DstPort), u.ICMPType, u.ICMPCode)
}

// ParseUpper reads what Append wrote; b has UpperBytes bytes. Flags that Append does not write are refused.
func ParseUpper(b []byte) (u Upper, ok bool) {
	if b[1] > 3 {
		return Upper{}, false
	}
	return Upper{Known: true, Proto: b[0], HasPorts: b[1]&1 != 0, HasICMP: b[1]&2 != 0, SrcPort: binary.BigEndian.Uint16(b[2:]), DstPort: binary.BigEndian.Uint16(b[4:]),
		ICMPType: b[6], ICMPCode: b[7]}, true
}

// DatagramKey writes the key that all fragments of a datagram have in common, and no others for as long as its sender keeps identifications
// apart (RFC 791 section 3.2, RFC 8200 section 4.5). in is that of a fragment without a Problem of its IP header.
func (in *Info) DatagramKey(frame []byte, k *Key) {
	src, dst := in.Src(frame), in.Dst(frame)
	var id uint64
	if in.Kind == IPv4 {
		h := frame[in.L3:]
		id = uint64(h[9])<<32 | uint64(binary.BigEndian.Uint16(h[4:]))
		*k = Key{0, uint64(binary.BigEndian.Uint32(src)), 0, uint64(binary.BigEndian.Uint32(dst))}
	} else {
		id = uint64(binary.BigEndian.Uint32(frame[in.fragment+4:]))
		*k = Key{binary.BigEndian.Uint64(src), binary.BigEndian.Uint64(src[8:]), binary.BigEndian.Uint64(dst), binary.BigEndian.Uint64(dst[8:])}
	}
	k[4] = id<<16 | uint64(in.Kind)<<12 | keyFragment
	k[5] = in.Tags()
}

// FragmentLen is how many bytes of its datagram a fragment carries, by its header.
func (in *Info) FragmentLen() int {
	from := int(in.L4)
	if in.Kind == IPv6 {
		from = int(in.fragment) + 8
	}
	return max(int(in.L3)+int(in.IPLen)-from, 0)
}
