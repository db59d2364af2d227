package packet

import "encoding/binary"

// IPv4Header is an IPv4 header in place, of at least 20 bytes (RFC 791 section 3.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------+-------+---------------+-------------------------------+
//	|Version|  IHL  |Type of Service|          Total Length         |
//	+-------+-------+---------------+-----+-------------------------+
//	|         Identification        |Flags|     Fragment Offset     |
//	+---------------+---------------+-----+-------------------------+
//	|  Time to Live |    Protocol   |        Header Checksum        |
//	+---------------+---------------+-------------------------------+
//	|                        Source Address                         |
//	+---------------------------------------------------------------+
//	|                      Destination Address                      |
//	+---------------------------------------------------------------+
type IPv4Header []byte

// Flags in the upper bits of IPv4Header.FlagsOffset.
const (
	DontFragment  = 0x4000
	MoreFragments = 0x2000
)

// Len returns the header's length in bytes as it says, 0 to 60.
func (h IPv4Header) Len() int { return int(h[0]&15) * 4 }

// TotalLen returns the datagram's length field.
func (h IPv4Header) TotalLen() int { return int(binary.BigEndian.Uint16(h[2:])) }

// ID returns the identification.
func (h IPv4Header) ID() uint16 { return binary.BigEndian.Uint16(h[4:]) }

// FlagsOffset returns the flags and, in units of 8 bytes, the fragment offset.
func (h IPv4Header) FlagsOffset() uint16 { return binary.BigEndian.Uint16(h[6:]) }

// Checksum returns the header checksum.
func (h IPv4Header) Checksum() uint16 { return binary.BigEndian.Uint16(h[10:]) }

// Src returns the source address in place.
func (h IPv4Header) Src() []byte { return h[12:16:16] }

// Dst returns the destination address in place.
func (h IPv4Header) Dst() []byte { return h[16:20:20] }

// Init writes a header without options: version, length, TTL 64, DF, protocol, addresses of 4 bytes, and the checksum. total is
// the datagram's length with the header.
func (h IPv4Header) Init(total int, proto uint8, src, dst []byte) {
	clear(h[:20])
	h[0] = 0x45
	binary.BigEndian.PutUint16(h[2:], uint16(total))
	binary.BigEndian.PutUint16(h[6:], DontFragment)
	h[8], h[9] = 64, proto
	copy(h.Src(), src)
	copy(h.Dst(), dst)
	h.SetChecksum()
}

// SetTTL writes the TTL and keeps the checksum right.
func (h IPv4Header) SetTTL(ttl uint8) {
	was := binary.BigEndian.Uint16(h[8:])
	h[8] = ttl
	binary.BigEndian.PutUint16(h[10:], Update(h.Checksum(), was, binary.BigEndian.Uint16(h[8:])))
}

// SetTotalLen writes the length field and keeps the checksum right.
func (h IPv4Header) SetTotalLen(n int) {
	binary.BigEndian.PutUint16(h[10:], Update(h.Checksum(), uint16(h.TotalLen()), uint16(n)))
	binary.BigEndian.PutUint16(h[2:], uint16(n))
}

// SetChecksum computes and writes the header checksum.
func (h IPv4Header) SetChecksum() {
	h[10], h[11] = 0, 0
	binary.BigEndian.PutUint16(h[10:], Fold(Sum(0, h[:h.Len()])))
}
