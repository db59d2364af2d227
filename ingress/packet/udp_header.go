package packet

import "encoding/binary"

// UDPHeader is a UDP header in place, of at least 8 bytes (RFC 768):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------------------------------+-------------------------------+
//	|          Source Port          |       Destination Port        |
//	+-------------------------------+-------------------------------+
//	|            Length             |           Checksum            |
//	+-------------------------------+-------------------------------+
type UDPHeader []byte

// SrcPort returns the source port.
func (h UDPHeader) SrcPort() uint16 { return binary.BigEndian.Uint16(h) }

// DstPort returns the destination port.
func (h UDPHeader) DstPort() uint16 { return binary.BigEndian.Uint16(h[2:]) }

// Length returns the length field: header and payload.
func (h UDPHeader) Length() int { return int(binary.BigEndian.Uint16(h[4:])) }

// Checksum returns the checksum; 0 over IPv4 means that there is none.
func (h UDPHeader) Checksum() uint16 { return binary.BigEndian.Uint16(h[6:]) }

// Init writes a header. length counts header and payload. The checksum stays 0: SetChecksum once the payload is in place.
func (h UDPHeader) Init(src, dst uint16, length int) {
	binary.BigEndian.PutUint16(h, src)
	binary.BigEndian.PutUint16(h[2:], dst)
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	h[6], h[7] = 0, 0
}

// SetChecksum computes and writes the checksum; h reaches to the end of the payload. A sum of 0 is sent as 0xffff, since 0 means none.
func (h UDPHeader) SetChecksum(src, dst []byte) {
	h[6], h[7] = 0, 0
	c := Fold(Sum(Pseudo(src, dst, ProtoUDP, len(h)), h))
	if c == 0 {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(h[6:], c)
}
