package detect

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// Packet is what the engine is shown of a packet.
type Packet struct {
	Info     *packet.Info
	Data     []byte
	Src, Dst []byte
	Payload  []byte
	Wire     int // payload length on the wire, for dsize
	Dir      proto.Dir

	HasFlow     bool
	Established bool
	InStream    bool   // its payload entered the stream, where it is inspected
	Stream      []byte // what of the stream is to be looked at now
	StreamDue   bool
	StreamFrom  int  // Stream before it was scanned with an earlier packet
	StreamWhole bool // and something was found there: all of it is scanned again
	StreamHit   bool // set by Engine.Packet: something was found from StreamFrom on
	Again       bool // only Stream is new: all else was tried before
	Fresh       bool // Pseudo: bytes came to light
	Pseudo      bool // no packet: the flow's end lets something be inspected
	App         rule.App
	Known       bool  // the application protocol is known, and was not for the packet before in this direction
	First       bool  // the first of its direction, or without a flow: rules on addresses alone are tried
	Now         int64 // its time, ns
	Bits        *Bits
	Ints        *Ints
	Counts      *Counts
	Tracked     bool      // the flow has a TCP session
	Sent        [2]uint64 // and its sides have sent so much, by sequence numbers
}

// fields reports whether all header tests of a signature hold.
func (p *Packet) fields(fs []rule.Field) bool {
	for i := range fs {
		if !p.field(&fs[i]) {
			return false
		}
	}
	return true
}

func (p *Packet) field(f *rule.Field) bool {
	in := p.Info
	switch f.Kind {
	case rule.FieldTTL:
		return in.Kind != packet.NotIP && f.Range.Holds(uint64(in.TTL))
	case rule.FieldTOS:
		return in.Kind == packet.IPv4 && f.Range.Holds(uint64(in.TOS))
	case rule.FieldID:
		return in.Kind == packet.IPv4 && f.Range.Holds(uint64(binary.BigEndian.Uint16(p.Data[in.L3+4:])))
	case rule.FieldIPOpts:
		return p.ipOption(f.Bits)
	case rule.FieldFragBits:
		return p.fragBits(f)
	case rule.FieldFragOffset:
		return in.Kind != packet.NotIP && f.Range.Holds(uint64(in.FragOff>>3))
	case rule.FieldIPProto:
		return in.Kind != packet.NotIP && f.Range.Holds(uint64(in.Proto))
	case rule.FieldSameIP:
		return in.Kind != packet.NotIP && string(p.Src) == string(p.Dst)
	case rule.FieldDSize:
		return f.Range.Holds(uint64(p.Wire))
	case rule.FieldApp:
		if p.App == rule.AnyApp {
			return false
		}
		return (p.App == f.App) != f.Negated
	case rule.FieldL3:
		return in.Kind == packet.IPv4 && f.Range.A == 4 || in.Kind == packet.IPv6 && f.Range.A == 6
	case rule.FieldVLANs:
		return f.Range.Holds(uint64(in.VLANs))
	case rule.FieldStreamSize, rule.FieldFlowAge, rule.FieldFlowPackets, rule.FieldFlowBytes:
		return p.carried(f)
	}
	if !in.HasL4 || in.FragOff != 0 {
		return false
	}
	l4 := p.Data[in.L4:]
	if in.Proto == packet.ProtoTCP {
		return p.tcpField(f, l4)
	}
	if in.Proto == packet.ProtoICMP || in.Proto == packet.ProtoICMPv6 {
		return p.icmpField(f, l4)
	}
	return false
}

func (p *Packet) tcpField(f *rule.Field, h []byte) bool {
	switch f.Kind {
	case rule.FieldSeq:
		return f.Range.Holds(uint64(binary.BigEndian.Uint32(h[4:])))
	case rule.FieldAck:
		return f.Range.Holds(uint64(binary.BigEndian.Uint32(h[8:])))
	case rule.FieldWindow:
		return f.Range.Holds(uint64(binary.BigEndian.Uint16(h[14:])))
	case rule.FieldFlags:
		return matchBits(uint32(p.Info.TCPFlags)&f.Mask, f)
	case rule.FieldMSS:
		mss, ok := maxSegment(h[20:min(int(h[12]>>4)*4, len(h))])
		return ok && f.Range.Holds(uint64(mss))
	}
	return false
}

// maxSegment finds the MSS option (RFC 9293 section 3.2).
func maxSegment(o []byte) (uint16, bool) {
	for len(o) >= 2 && o[0] != 0 {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		n := int(o[1])
		if n < 2 || n > len(o) {
			return 0, false
		}
		if o[0] == 2 && n == 4 {
			return binary.BigEndian.Uint16(o[2:]), true
		}
		o = o[n:]
	}
	return 0, false
}

func (p *Packet) icmpField(f *rule.Field, h []byte) bool {
	in := p.Info
	switch f.Kind {
	case rule.FieldIType:
		return f.Range.Holds(uint64(in.ICMPType))
	case rule.FieldICode:
		return f.Range.Holds(uint64(in.ICMPCode))
	case rule.FieldICMPID, rule.FieldICMPSeq:
		if len(h) < 8 || !hasID(in.Proto, in.ICMPType) {
			return false
		}
		at := 4
		if f.Kind == rule.FieldICMPSeq {
			at = 6
		}
		return f.Range.Holds(uint64(binary.BigEndian.Uint16(h[at:])))
	case rule.FieldICMPv6MTU:
		return in.Proto == packet.ProtoICMPv6 && in.ICMPType == 2 && len(h) >= 8 && f.Range.Holds(uint64(binary.BigEndian.Uint32(h[4:])))
	}
	return false
}

// hasID: the ICMP messages with identifier and sequence number (RFC 792, RFC 950, RFC 4443).
func hasID(proto, typ uint8) bool {
	if proto == packet.ProtoICMPv6 {
		return typ == 128 || typ == 129
	}
	switch typ {
	case 0, 8, 13, 14, 15, 16, 17, 18:
		return true
	}
	return false
}

// matchBits compares flag bits in the field's mode.
func matchBits(have uint32, f *rule.Field) bool {
	want := f.Bits & orAll(f.Mask)
	switch f.Mode {
	case '+':
		return have&want == want
	case '*':
		return have&want != 0
	case '!':
		return have&want != want
	}
	return have == want
}

func orAll(mask uint32) uint32 {
	if mask == 0 {
		return ^uint32(0)
	}
	return mask
}

func (p *Packet) fragBits(f *rule.Field) bool {
	in := p.Info
	if in.Kind != packet.IPv4 {
		return false
	}
	w := binary.BigEndian.Uint16(p.Data[in.L3+6:])
	var have uint32
	for i, bit := range []uint16{0x2000, 0x4000, 0x8000} { // MF, DF, reserved
		if w&bit != 0 {
			have |= 1 << i
		}
	}
	return matchBits(have, f)
}

// ipOption looks for an option of IPv4; 256 is any.
func (p *Packet) ipOption(want uint32) bool {
	in := p.Info
	if in.Kind != packet.IPv4 || in.L4 == 0 {
		return false
	}
	o := p.Data[in.L3+20 : min(int(in.L3)+int(p.Data[in.L3]&15)*4, len(p.Data))]
	if want == 256 {
		return len(o) > 0
	}
	for len(o) > 0 {
		t := uint32(o[0])
		if t == want {
			return true
		}
		if t == 0 {
			return false
		}
		n := 1
		if t != 1 {
			if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
				return false
			}
			n = int(o[1])
		}
		o = o[n:]
	}
	return false
}

// header returns the bytes of a packet header buffer.
func (p *Packet) header(b rule.Buffer) ([]byte, bool) {
	in := p.Info
	end := min(int(in.End), len(p.Data))
	l3 := in.L4
	if l3 == 0 || int(l3) > end {
		l3 = uint16(min(int(in.Payload), end))
	}
	tcp := in.HasL4 && in.FragOff == 0
	payload := min(int(in.Payload), end)
	switch b {
	case rule.IPv4Header:
		return p.Data[in.L3:l3], in.Kind == packet.IPv4
	case rule.IPv6Header:
		return p.Data[in.L3:l3], in.Kind == packet.IPv6
	case rule.TCPHeader:
		if tcp && in.Proto == packet.ProtoTCP {
			return p.Data[in.L4:payload], true
		}
	case rule.UDPHeader:
		if tcp && in.Proto == packet.ProtoUDP {
			return p.Data[in.L4:payload], true
		}
	case rule.ICMPv4Header:
		if tcp && in.Proto == packet.ProtoICMP {
			return p.Data[in.L4:payload], true
		}
	case rule.ICMPv6Header:
		if tcp && in.Proto == packet.ProtoICMPv6 {
			return p.Data[in.L4:payload], true
		}
	}
	return nil, false
}
