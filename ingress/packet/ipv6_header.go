package packet

import "encoding/binary"

// IPv6Header is an IPv6 header in place, of at least 40 bytes (RFC 8200 section 3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------+---------------+---------------------------------------+
//	|Version| Traffic Class |              Flow Label               |
//	+-------+---------------+-------+---------------+---------------+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-------------------------------+---------------+---------------+
//	|                   Source Address (16 bytes)                   |
//	+---------------------------------------------------------------+
//	|                Destination Address (16 bytes)                 |
//	+---------------------------------------------------------------+
type IPv6Header []byte

// PayloadLen returns the length field: everything behind these 40 bytes.
func (h IPv6Header) PayloadLen() int { return int(binary.BigEndian.Uint16(h[4:])) }

// FlowLabel returns the 20-bit flow label.
func (h IPv6Header) FlowLabel() uint32 { return binary.BigEndian.Uint32(h) & 0xfffff }

// NextHeader returns the protocol of what follows, an extension header perhaps.
func (h IPv6Header) NextHeader() uint8 { return h[6] }

// HopLimit returns the hop limit.
func (h IPv6Header) HopLimit() uint8 { return h[7] }

// Src returns the source address in place.
func (h IPv6Header) Src() []byte { return h[8:24:24] }

// Dst returns the destination address in place.
func (h IPv6Header) Dst() []byte { return h[24:40:40] }

// Init writes a header: version, hop limit 64, next header, addresses of 16 bytes. payload is the length of what follows.
func (h IPv6Header) Init(payload int, next uint8, src, dst []byte) {
	clear(h[:8])
	h[0] = 0x60
	binary.BigEndian.PutUint16(h[4:], uint16(payload))
	h[6], h[7] = next, 64
	copy(h.Src(), src)
	copy(h.Dst(), dst)
}
