package translate

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// End is an address and a port, or whatever stands for one: the identifier of an ICMP query.
type End struct {
	Hi, Lo uint64 // the address; IPv4 in the low half of Lo
	Port   uint16
}

// EndOf makes an End of an address of 4 or 16 bytes.
func EndOf(addr []byte, port uint16) End {
	if len(addr) == 4 {
		return End{0, uint64(binary.BigEndian.Uint32(addr)), port}
	}
	return End{binary.BigEndian.Uint64(addr), binary.BigEndian.Uint64(addr[8:]), port}
}

// Address writes the address into buf, and returns the part of it that it took.
func (e End) Address(kind packet.Kind, buf *[16]byte) []byte {
	if kind == packet.IPv4 {
		binary.BigEndian.PutUint32(buf[:4], uint32(e.Lo))
		return buf[:4]
	}
	binary.BigEndian.PutUint64(buf[:8], e.Hi)
	binary.BigEndian.PutUint64(buf[8:], e.Lo)
	return buf[:]
}

// SameAddress reports whether two ends have one address.
func (e End) SameAddress(f End) bool { return e.Hi == f.Hi && e.Lo == f.Lo }

// Key is a conversation as it looks on one side of a function: words 0-1 and 2-3 are the addresses of the end inside and of the end outside, word 4
// their ports (16 bits each, from the top), protocol and kind, word 5 the VLAN ids as packet.Key has them.
type Key [6]uint64

// KeyOf joins two ends.
func KeyOf(in, out End, proto uint8, kind packet.Kind, vlan uint64) Key {
	return Key{in.Hi, in.Lo, out.Hi, out.Lo, uint64(in.Port)<<48 | uint64(out.Port)<<32 | uint64(proto)<<16 | uint64(kind)<<12, vlan}
}

// In is the end on the inside.
func (k *Key) In() End { return End{k[0], k[1], uint16(k[4] >> 48)} }

// Out is the end on the outside.
func (k *Key) Out() End { return End{k[2], k[3], uint16(k[4] >> 32)} }

// Proto is the protocol.
func (k *Key) Proto() uint8 { return uint8(k[4] >> 16) }

// Kind is IPv4 or IPv6.
func (k *Key) Kind() packet.Kind { return packet.Kind(k[4] >> 12 & 3) }

// Class says what a packet is to a translator.
type Class uint8

// Classes.
const (
	Plain    Class = iota // it belongs to the conversation of its key
	Error                 // an ICMP error: its key is that of the packet it quotes
	Fragment              // a fragment whose ports nobody knows
	Broken                // its headers can't be read
)

// Look writes the key of an IP packet that comes from that side.
func Look(data []byte, in *packet.Info, from nf.Side, k *Key) Class {
	vlan := in.Tags()
	if in.HasL4 && !in.Frag && packet.IsICMPError(in.Proto, in.ICMPType) {
		var q packet.Info
		if !packet.ParseQuoted(data[:min(int(in.End), len(data))], int(in.L4)+8, in.Kind, &q) || q.Frag && !q.FirstFrag {
			return Broken
		}
		// What it is about went the other way.
		if class := look(data, &q, from^1, vlan, k); class != Plain {
			return Broken
		}
		return Error
	}
	return look(data, in, from, vlan, k)
}

func look(data []byte, in *packet.Info, from nf.Side, vlan uint64, k *Key) Class {
	var src, dst uint16
	switch {
	case in.Learned && !in.HasPorts && (in.Proto == packet.ProtoICMP || in.Proto == packet.ProtoICMPv6):
		if src = in.SrcPort; from == nf.Outside {
			src, dst = 0, src
		}
	case in.HasPorts || in.Learned:
		src, dst = in.SrcPort, in.DstPort
	case in.Frag:
		return Fragment
	case in.Proto == packet.ProtoTCP || in.Proto == packet.ProtoUDP || in.Proto == packet.ProtoSCTP || in.Proto == packet.ProtoUDPLite:
		return Broken
	case packet.IsICMPQuery(in.Proto, in.ICMPType) && in.HasL4 && int(in.L4)+6 <= len(data):
		src = binary.BigEndian.Uint16(data[in.L4+4:])
		if from == nf.Outside {
			src, dst = 0, src
		}
	case in.Problem != packet.OK:
		return Broken
	}
	a, b := EndOf(in.Src(data), src), EndOf(in.Dst(data), dst)
	if from == nf.Outside {
		a, b = b, a
	}
	*k = KeyOf(a, b, in.Proto, in.Kind, vlan)
	return Plain
}

// Write rewrites a packet of the class that Look found, coming from that side, from what its conversation looks like there (was) to what it looks like
// on the other side.
func Write(data []byte, in *packet.Info, from nf.Side, class Class, was, now *Key) {
	src, dst := now.In(), now.Out()
	wasSrc, wasDst := was.In(), was.Out()
	if from == nf.Outside {
		src, dst, wasSrc, wasDst = dst, src, wasDst, wasSrc
	}
	kind := was.Kind()
	srcPort, dstPort := src.Port, dst.Port
	if p := was.Proto(); p == packet.ProtoICMP || p == packet.ProtoICMPv6 { // one identifier, whichever end it is written with
		srcPort, dstPort = now.In().Port, now.In().Port
	}
	var a, b [16]byte
	if class == Error {
		// The packet quoted went the other way: its source is the end that this one is sent to.
		if dst != wasDst {
			in.SetQuoted(data, false, dst.Address(kind, &b), dstPort)
		}
		if src != wasSrc {
			in.SetQuoted(data, true, src.Address(kind, &a), srcPort)
		}
		if !dst.SameAddress(wasDst) && EndOf(in.Dst(data), 0).SameAddress(wasDst) {
			in.SetDst(data, dst.Address(kind, &b), 0)
		}
		// Whoever is behind the translated end, a router, say, is not seen on the other side either.
		if !src.SameAddress(wasSrc) && (from == nf.Inside || EndOf(in.Src(data), 0).SameAddress(wasSrc)) {
			in.SetSrc(data, src.Address(kind, &a), 0)
		}
		return
	}
	if src != wasSrc {
		in.SetSrc(data, src.Address(kind, &a), srcPort)
	}
	if dst != wasDst {
		in.SetDst(data, dst.Address(kind, &b), dstPort)
	}
}
