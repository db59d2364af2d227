package nftest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Start is when the captures made here begin.
var Start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano()

// P describes one packet. Everything has a sensible zero value; Frame makes the bytes, with right lengths and checksums.
type P struct {
	Src, Dst     string // "10.0.0.1", "10.0.0.1:80" or "[2001:db8::1]:80"
	Proto        uint8
	Flags        uint8  // of TCP
	Seq, Ack     uint32 // of TCP
	Window       uint16 // of TCP; 0 means 8192
	Options      []byte // of TCP, a multiple of 4 bytes
	Type, Code   uint8  // of ICMP
	Rest         uint32 // second word of ICMP: identifier and sequence number of an echo
	TTL, TOS     uint8  // TTL 0 means 64
	IPID         uint16 // of IPv4
	Tags         []uint16
	FragOff      int // bytes; what is behind the IP header is Payload alone if it is not 0
	More         bool
	Payload      []byte
	Since        time.Duration
	FromSide     nf.Side
	BadChecksum  bool // make the transport checksum wrong
	CarriedBytes int  // carry only this many bytes of the frame, if not 0
}

// TCP is a segment with the flags in text ("SAFRPU."; a dot or A is ACK) and a payload.
func TCP(src, dst, flags, payload string) P {
	return P{Src: src, Dst: dst, Proto: packet.ProtoTCP, Flags: tcpFlags(flags), Payload: []byte(payload)}
}

// UDP is a datagram.
func UDP(src, dst, payload string) P {
	return P{Src: src, Dst: dst, Proto: packet.ProtoUDP, Payload: []byte(payload)}
}

// Echo is an echo request, of ICMP or ICMPv6 as the addresses are.
func Echo(src, dst string, id, seq uint16) P {
	p := P{Src: src, Dst: dst, Proto: packet.ProtoICMP, Type: 8, Rest: uint32(id)<<16 | uint32(seq), Payload: []byte("abcdefgh")}
	if strings.Contains(src, "::") {
		p.Proto, p.Type = packet.ProtoICMPv6, 128
	}
	return p
}

// EchoReply answers an Echo with the same identifier and sequence number.
func EchoReply(src, dst string, id, seq uint16) P {
	p := Echo(src, dst, id, seq)
	if p.Type = 0; p.Proto == packet.ProtoICMPv6 {
		p.Type = 129
	}
	return p
}

// Unreachable is an ICMP error (port unreachable) from src to dst that quotes the IP packet of a frame that carries no
// VLAN tag, cut to its header and 8 bytes.
func Unreachable(src, dst string, quoted []byte) P {
	if quoted[14]>>4 == 6 {
		return P{Src: src, Dst: dst, Proto: packet.ProtoICMPv6, Type: 1, Code: 4, Payload: quoted[14:min(len(quoted), 14+48)]}
	}
	return P{Src: src, Dst: dst, Proto: packet.ProtoICMP, Type: 3, Code: 3, Payload: quoted[14:min(len(quoted), 14+28)]}
}

// IP is a packet of any protocol.
func IP(src, dst string, proto uint8, payload string) P {
	return P{Src: src, Dst: dst, Proto: proto, Payload: []byte(payload)}
}

// At sets when the packet comes, from Start on.
func (p P) At(d time.Duration) P { p.Since = d; return p }

// Outside lets the packet come from outside; without it, it comes from inside.
func (p P) Outside() P { p.FromSide = nf.Outside; return p }

// VLAN puts tags before the network header.
func (p P) VLAN(tags ...uint16) P { p.Tags = tags; return p }

// Numbers sets sequence and acknowledgment number.
func (p P) Numbers(seq, ack uint32) P { p.Seq, p.Ack = seq, ack; return p }

// Fragment makes it a fragment: offset in bytes, and whether more follow. The first one has offset 0.
func (p P) Fragment(offset int, more bool) P { p.FragOff, p.More = offset, more; return p }

// Packet returns the packet as the pipeline is given it.
func (p P) Packet() Packet {
	f := p.Frame()
	wire := len(f)
	if p.CarriedBytes > 0 && p.CarriedBytes < wire {
		f = f[:p.CarriedBytes]
	}
	return Packet{Data: f, Wire: uint32(wire), From: p.FromSide, Time: Start + int64(p.Since)}
}

// Frame returns the whole Ethernet frame.
func (p P) Frame() []byte {
	src, srcPort := endpoint(p.Src)
	dst, dstPort := endpoint(p.Dst)
	// The hosts' addresses are those of the corpus, and the gateway is a wire.
	f := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if p.FromSide == nf.Outside {
		f[5], f[11] = 1, 2
	}
	for i, tag := range p.Tags {
		et := uint16(packet.EtherVLAN)
		if i == 0 && len(p.Tags) > 1 {
			et = packet.EtherQinQ
		}
		f = binary.BigEndian.AppendUint16(f, et)
		f = binary.BigEndian.AppendUint16(f, tag)
	}
	l4 := p.transport(src, dst, srcPort, dstPort)
	if src.Is4() {
		f = binary.BigEndian.AppendUint16(f, packet.EtherIPv4)
		return p.ipv4(f, src, dst, l4)
	}
	f = binary.BigEndian.AppendUint16(f, packet.EtherIPv6)
	return p.ipv6(f, src, dst, l4)
}

func (p P) ipv4(f []byte, src, dst netip.Addr, l4 []byte) []byte {
	at := len(f)
	f = append(f, make([]byte, 20)...)
	f = append(f, l4...)
	h := packet.IPv4Header(f[at:])
	h.Init(20+len(l4), p.Proto, src.AsSlice(), dst.AsSlice())
	h[1] = p.TOS
	binary.BigEndian.PutUint16(h[4:], p.IPID)
	if p.TTL != 0 {
		h[8] = p.TTL
	}
	if p.More || p.FragOff > 0 {
		bits := uint16(p.FragOff / 8)
		if p.More {
			bits |= packet.MoreFragments
		}
		binary.BigEndian.PutUint16(h[6:], bits)
	}
	h.SetChecksum()
	return f
}

func (p P) ipv6(f []byte, src, dst netip.Addr, l4 []byte) []byte {
	at := len(f)
	f = append(f, make([]byte, 40)...)
	next := p.Proto
	if p.More || p.FragOff > 0 {
		bits := uint16(p.FragOff)
		if p.More {
			bits |= 1
		}
		f = append(f, p.Proto, 0, byte(bits>>8), byte(bits), 0, 0, byte(p.IPID>>8), byte(p.IPID))
		next = packet.ProtoFragment
	}
	f = append(f, l4...)
	h := packet.IPv6Header(f[at:])
	h.Init(len(f)-at-40, next, src.AsSlice(), dst.AsSlice())
	h[0] |= p.TOS >> 4
	h[1] |= p.TOS << 4
	if p.TTL != 0 {
		h[7] = p.TTL
	}
	return f
}

func (p P) transport(src, dst netip.Addr, srcPort, dstPort uint16) (b []byte) {
	if p.FragOff > 0 {
		return p.Payload
	}
	a, z := src.AsSlice(), dst.AsSlice()
	at := -1
	switch p.Proto {
	case packet.ProtoTCP:
		b = make([]byte, 20, 60+len(p.Payload))
		win := p.Window
		if win == 0 {
			win = 8192
		}
		packet.TCPHeader(b).Init(srcPort, dstPort, p.Seq, p.Ack, p.Flags, win)
		b = append(append(b, p.Options...), p.Payload...)
		b[12] = byte(20+len(p.Options)) << 2
		packet.TCPHeader(b).SetChecksum(a, z)
		at = 16
	case packet.ProtoUDP:
		b = append(make([]byte, 8), p.Payload...)
		packet.UDPHeader(b).Init(srcPort, dstPort, len(b))
		packet.UDPHeader(b).SetChecksum(a, z)
		at = 6
	case packet.ProtoICMP, packet.ProtoICMPv6:
		b = append(make([]byte, 8), p.Payload...)
		packet.ICMPHeader(b).Init(p.Type, p.Code, p.Rest)
		if p.Proto == packet.ProtoICMP {
			packet.ICMPHeader(b).SetChecksum()
		} else {
			packet.ICMPHeader(b).SetChecksum6(a, z)
		}
		at = 2
	case packet.ProtoSCTP:
		b = append(make([]byte, 12), p.Payload...)
		binary.BigEndian.PutUint16(b, srcPort)
		binary.BigEndian.PutUint16(b[2:], dstPort)
	default:
		return p.Payload
	}
	if p.BadChecksum && at >= 0 {
		b[at] ^= 0x55
	}
	return b
}

func endpoint(s string) (netip.Addr, uint16) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a, 0
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		panic(fmt.Sprintf("nftest: %q is neither an address nor an address and port", s))
	}
	return ap.Addr(), ap.Port()
}

func tcpFlags(text string) (f uint8) {
	for _, c := range text {
		switch c {
		case 'F':
			f |= packet.FIN
		case 'S':
			f |= packet.SYN
		case 'R':
			f |= packet.RST
		case 'P':
			f |= packet.PSH
		case 'A', '.':
			f |= packet.ACK
		case 'U':
			f |= packet.URG
		case 'E':
			f |= packet.ECE
		case 'W':
			f |= packet.CWR
		default:
			panic(fmt.Sprintf("nftest: no TCP flag is written %q; use S A F R P U E W and . for ACK", c))
		}
	}
	return f
}
