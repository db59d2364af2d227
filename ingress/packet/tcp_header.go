package packet

import "encoding/binary"

// TCPHeader is a TCP header in place, of at least 20 bytes (RFC 9293 section 3.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------------------------------+-------------------------------+
//	|          Source Port          |       Destination Port        |
//	+-------------------------------+-------------------------------+
//	|                        Sequence Number                        |
//	+---------------------------------------------------------------+
//	|                    Acknowledgment Number                      |
//	+-------+-------+---------------+-------------------------------+
//	|Offset | Resvd |     Flags     |            Window             |
//	+-------+-------+---------------+-------------------------------+
//	|           Checksum            |         Urgent Pointer        |
//	+-------------------------------+-------------------------------+
type TCPHeader []byte

// SrcPort returns the source port.
func (h TCPHeader) SrcPort() uint16 { return binary.BigEndian.Uint16(h) }

// DstPort returns the destination port.
func (h TCPHeader) DstPort() uint16 { return binary.BigEndian.Uint16(h[2:]) }

// Seq returns the sequence number.
func (h TCPHeader) Seq() uint32 { return binary.BigEndian.Uint32(h[4:]) }

// Ack returns the acknowledgment number.
func (h TCPHeader) Ack() uint32 { return binary.BigEndian.Uint32(h[8:]) }

// Len returns the header's length in bytes as it says, 0 to 60.
func (h TCPHeader) Len() int { return int(h[12]>>4) * 4 }

// Flags returns FIN to CWR.
func (h TCPHeader) Flags() uint8 { return h[13] }

// Window returns the window, unscaled.
func (h TCPHeader) Window() uint16 { return binary.BigEndian.Uint16(h[14:]) }

// Checksum returns the checksum.
func (h TCPHeader) Checksum() uint16 { return binary.BigEndian.Uint16(h[16:]) }

// Urgent returns the urgent pointer.
func (h TCPHeader) Urgent() uint16 { return binary.BigEndian.Uint16(h[18:]) }

// Options returns the options, cut to what is there.
func (h TCPHeader) Options() []byte { return h[20:max(20, min(h.Len(), len(h)))] }

// Init writes a header without options. The checksum stays 0: SetChecksum once the payload is in place.
func (h TCPHeader) Init(src, dst uint16, seq, ack uint32, flags uint8, window uint16) {
	clear(h[:20])
	binary.BigEndian.PutUint16(h, src)
	binary.BigEndian.PutUint16(h[2:], dst)
	binary.BigEndian.PutUint32(h[4:], seq)
	binary.BigEndian.PutUint32(h[8:], ack)
	h[12], h[13] = 5<<4, flags
	binary.BigEndian.PutUint16(h[14:], window)
}

// SetChecksum computes and writes the checksum; h reaches to the end of the payload.
func (h TCPHeader) SetChecksum(src, dst []byte) {
	h[16], h[17] = 0, 0
	binary.BigEndian.PutUint16(h[16:], Fold(Sum(Pseudo(src, dst, ProtoTCP, len(h)), h)))
}
