package stream

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
)

// Segment is a TCP segment as Packet takes it.
type Segment struct {
	Reverse     bool // as nf.Packet has it: from the higher endpoint of the flow's key to the lower
	Flags       uint8
	Seq, Ack    uint32
	Window      uint16
	Options     []byte
	Payload     []byte // within the frame; rewritten in place in inline mode, see Result.Rewritten
	Time        int64  // ns since the Unix epoch
	FromServer  bool   // set by the caller if a session picked up midstream begins with a segment of its server
	BadChecksum bool   // set by the caller if checksums are verified: such a segment does not enter the stream
}

// Read fills s from a frame with a whole TCP header and reports whether it is one. Payload cut off by a snap length is
// not there: the stream has a gap then.
func (s *Segment) Read(in *packet.Info, frame []byte, reverse bool, time int64) bool {
	if in.Proto != packet.ProtoTCP || !in.HasL4 || int(in.Payload) > len(frame) {
		return false
	}
	return s.ReadTCP(frame[in.L4:in.Payload], in.Bytes(frame), reverse, time)
}

// ReadTCP fills s from a TCP header with its options, and the payload behind it.
func (s *Segment) ReadTCP(header, payload []byte, reverse bool, time int64) bool {
	if len(header) < 20 {
		return false
	}
	*s = Segment{
		Reverse: reverse,
		Flags:   header[13],
		Seq:     binary.BigEndian.Uint32(header[4:]),
		Ack:     binary.BigEndian.Uint32(header[8:]),
		Window:  binary.BigEndian.Uint16(header[14:]),
		Options: header[20:],
		Payload: payload,
		Time:    time,
	}
	return true
}
