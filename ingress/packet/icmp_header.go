package packet

import "encoding/binary"

// ICMPHeader is an ICMP or ICMPv6 header in place, of at least 8 bytes (RFC 792, RFC 4443 section 2.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------+---------------+-------------------------------+
//	|     Type      |     Code      |           Checksum            |
//	+---------------+---------------+-------------------------------+
//	|   of errors: unused, MTU or pointer; of echoes: identifier    |
//	|   and sequence number                                         |
//	+---------------------------------------------------------------+
type ICMPHeader []byte

// Type returns the type.
func (h ICMPHeader) Type() uint8 { return h[0] }

// Code returns the code.
func (h ICMPHeader) Code() uint8 { return h[1] }

// Checksum returns the checksum.
func (h ICMPHeader) Checksum() uint16 { return binary.BigEndian.Uint16(h[2:]) }

// ID returns the identifier of an echo.
func (h ICMPHeader) ID() uint16 { return binary.BigEndian.Uint16(h[4:]) }

// Seq returns the sequence number of an echo.
func (h ICMPHeader) Seq() uint16 { return binary.BigEndian.Uint16(h[6:]) }

// Init writes a header with rest in its second word. The checksum stays 0 until set.
func (h ICMPHeader) Init(typ, code uint8, rest uint32) {
	h[0], h[1], h[2], h[3] = typ, code, 0, 0
	binary.BigEndian.PutUint32(h[4:], rest)
}

// SetChecksum computes and writes the checksum of ICMP (IPv4), which covers no addresses; h reaches to the end of the message.
func (h ICMPHeader) SetChecksum() {
	h[2], h[3] = 0, 0
	binary.BigEndian.PutUint16(h[2:], Fold(Sum(0, h)))
}

// SetChecksum6 computes and writes the checksum of ICMPv6, which covers the addresses; h reaches to the end of the message.
func (h ICMPHeader) SetChecksum6(src, dst []byte) {
	h[2], h[3] = 0, 0
	binary.BigEndian.PutUint16(h[2:], Fold(Sum(Pseudo(src, dst, ProtoICMPv6, len(h)), h)))
}

// IsICMPError reports whether a message of that type quotes the packet it is about (RFC 792; RFC 4443: types below 128).
func IsICMPError(proto, typ uint8) bool { return isError(proto, typ) }

// IsEcho reports whether a message of that type is an echo request or reply.
func IsEcho(proto, typ uint8) bool { return isEcho(proto, typ) }

// IsICMPQuery reports whether a message of that type has an identifier, by which a translator tells queries apart (RFC 5508 section 3).
func IsICMPQuery(proto, typ uint8) bool { return isQuery(proto, typ) }
