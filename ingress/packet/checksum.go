package packet

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds data to the ones' complement sum so far (RFC 1071). It may be called for one part after the other as long as
// all parts but the last have an even length. Fold makes the checksum of it.
//
// Ones' complement sums can be taken in words of any size and any byte order (RFC 1071 section 2), so long data is added 8
// bytes at a time, as the machine loads them, with the carry of one addition going into the next. What comes out has its bytes
// swapped.
func Sum(sum uint64, data []byte) uint64 {
	var carry uint64
	if len(data) >= 64 {
		var s uint64
		for len(data) >= 64 {
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data), 0)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[8:]), carry)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[16:]), carry)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[24:]), carry)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[32:]), carry)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[40:]), carry)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[48:]), carry)
			s, carry = bits.Add64(s, binary.LittleEndian.Uint64(data[56:]), carry)
			s += carry // can't wrap: a sum that wrapped is below its addends
			data = data[64:]
		}
		sum, carry = bits.Add64(sum, uint64(bits.ReverseBytes16(fold16(s))), 0)
		sum += carry
	}
	for len(data) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data), 0)
		sum += carry
		data = data[8:]
	}
	if len(data) >= 4 {
		sum, carry = bits.Add64(sum, uint64(binary.BigEndian.Uint32(data)), 0)
		sum += carry
		data = data[4:]
	}
	if len(data) >= 2 {
		sum, carry = bits.Add64(sum, uint64(binary.BigEndian.Uint16(data)), 0)
		sum += carry
		data = data[2:]
	}
	if len(data) == 1 {
		sum, carry = bits.Add64(sum, uint64(data[0])<<8, 0)
		sum += carry
	}
	return sum
}

// Fold returns the Internet checksum of a sum, as it stands in a header.
func Fold(sum uint64) uint16 { return ^fold16(sum) }

func fold16(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}

// Pseudo returns the sum of the pseudo-header that TCP, UDP and ICMPv6 checksums cover: addresses of 4 or 16 bytes, protocol, and
// length of the transport header with its payload (RFC 9293 section 3.1, RFC 8200 section 8.1).
func Pseudo(src, dst []byte, proto uint8, length int) uint64 {
	return Sum(Sum(uint64(proto)+uint64(length), src), dst)
}

// Update returns checksum check after a 16-bit word that it covers changed from was to is (RFC 1624, equation 3).
func Update(check, was, is uint16) uint16 {
	return Fold(uint64(^check) + uint64(^was) + uint64(is))
}

// UpdateBytes is Update for an even number of bytes at an even offset of what the checksum covers, as they were and as they are.
func UpdateBytes(check uint16, was, is []byte) uint16 {
	return Fold(uint64(^check) + uint64(^fold16(Sum(0, was))) + uint64(fold16(Sum(0, is))))
}

// CheckIPv4 reports whether the IPv4 header in frame has a right checksum; true for what is not IPv4.
func (in *Info) CheckIPv4(frame []byte) bool {
	if in.Kind != IPv4 {
		return true
	}
	h := frame[in.L3:]
	n := int(h[0]&15) * 4
	return n >= 20 && n <= len(h) && fold16(Sum(0, h[:n])) == 0xffff
}

// Checked is what Info.CheckL4 found.
type Checked uint8

// Outcomes of Info.CheckL4.
const (
	Unchecked Checked = iota // not all of it was carried, a fragment, a protocol without a checksum we know, or UDP that has none
	Right
	Wrong
)

// CheckL4 verifies the checksum of TCP, UDP, ICMP and ICMPv6. It needs the whole datagram in frame.
func (in *Info) CheckL4(frame []byte) Checked {
	if !in.HasL4 || in.Frag || int(in.End) > len(frame) {
		return Unchecked
	}
	data := frame[in.L4:in.End]
	sum := uint64(0)
	switch in.Proto {
	case ProtoUDP:
		if data[6]|data[7] == 0 {
			if in.Kind == IPv6 {
				return Wrong // RFC 8200 section 8.1: not optional there
			}
			return Unchecked
		}
		sum = Pseudo(in.Src(frame), in.Dst(frame), in.Proto, len(data))
	case ProtoTCP, ProtoICMPv6:
		sum = Pseudo(in.Src(frame), in.Dst(frame), in.Proto, len(data))
	case ProtoICMP:
	default:
		return Unchecked
	}
	if fold16(Sum(sum, data)) != 0xffff {
		return Wrong
	}
	return Right
}

// ChecksumAt returns the offset in a transport header of protocol proto of its checksum, or -1 if it has none that covers addresses
// or that we know.
func ChecksumAt(proto uint8) int {
	switch proto {
	case ProtoTCP:
		return 16
	case ProtoUDP:
		return 6
	case ProtoICMP, ProtoICMPv6:
		return 2
	}
	return -1
}
