package packet

import (
	"encoding/binary"
	"net/netip"

	"github.com/granule-nf/granule/flowhash"
)

// Key names a flow: both endpoints in canonical order (the lower first), protocol and VLAN ids, packed without
// pointers. The two directions of a flow have the same Key; Info.Key tells them apart.
//
// Word 0-1 and 2-3 are the lower and the higher address (IPv4 in the low half of the second word), word 4 the lower
// and higher port (16 bits each, from the top), protocol, kind and the fragment bit, word 5 the VLAN ids: Info.Stack in the upper 24
// bits, then the number of tags, then the ids of the two outermost. MPLS labels are not in it: they differ by direction.
type Key [6]uint64

const keyFragment = 1 << 8

// Endpoints returns what k was made of: the lower and the higher endpoint (port 0 where there are none) and the protocol.
func (k *Key) Endpoints() (lower, higher netip.AddrPort, proto uint8) {
	return netip.AddrPortFrom(k.addr(0), uint16(k[4]>>48)), netip.AddrPortFrom(k.addr(2), uint16(k[4]>>32)), uint8(k[4] >> 16)
}

// VLANs returns the ids of the two outermost VLAN tags, and how many of the two there are.
func (k *Key) VLANs() (ids [2]uint16, n int) {
	return [2]uint16{uint16(k[5]>>16) & 0xfff, uint16(k[5]) & 0xfff}, min(int(k[5]>>32&0xff), 2)
}

func (k *Key) addr(at int) netip.Addr {
	if Kind(k[4]>>12&3) == IPv4 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(k[at+1]))
		return netip.AddrFrom4(a)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:], k[at])
	binary.BigEndian.PutUint64(a[8:], k[at+1])
	return netip.AddrFrom16(a)
}

// Hash mixes k with a secret seed by multiply and fold, so that a sender can't aim flows at one bucket.
func (k *Key) Hash(seed uint64) uint64 {
	return flowhash.Of((*[6]uint64)(k), seed)
}

// Key writes the flow's canonical key and reports whether this packet travels from the higher endpoint to the lower.
// The Info must be of an IP packet. All fragments of a datagram carry the key of addresses and protocol alone, unless its ports are known (Learned). An ICMP error has
// the key of the packet it quotes, in the direction opposite to that packet's, so that whoever keeps that flow's state
// sees the error. The identifier of an ICMP query stands for both ports.
func (in *Info) Key(frame []byte, k *Key) (reverse bool) {
	if in.HasL4 && !in.Frag && isError(in.Proto, in.ICMPType) {
		if rev, ok := quotedKey(frame, in, k); ok {
			return !rev
		}
	}
	return in.key(frame, k)
}

func (in *Info) key(frame []byte, k *Key) (reverse bool) {
	var a0, a1, b0, b1 uint64
	src, dst := in.Src(frame), in.Dst(frame)
	if in.Kind == IPv4 {
		a1, b1 = uint64(binary.BigEndian.Uint32(src)), uint64(binary.BigEndian.Uint32(dst))
	} else {
		a0, a1 = binary.BigEndian.Uint64(src), binary.BigEndian.Uint64(src[8:])
		b0, b1 = binary.BigEndian.Uint64(dst), binary.BigEndian.Uint64(dst[8:])
	}
	var ap, bp uint64
	low := uint64(in.Proto)<<16 | uint64(in.Kind)<<12
	switch {
	case in.Frag && !in.Learned:
		low |= keyFragment
	case in.HasPorts || in.Learned:
		ap, bp = uint64(in.SrcPort), uint64(in.DstPort)
	case in.HasL4 && isQuery(in.Proto, in.ICMPType) && int(in.L4)+6 <= len(frame):
		ap = uint64(binary.BigEndian.Uint16(frame[in.L4+4:]))
		bp = ap
	}
	if reverse = a0 > b0 || a0 == b0 && (a1 > b1 || a1 == b1 && ap > bp); reverse {
		a0, a1, ap, b0, b1, bp = b0, b1, bp, a0, a1, ap
	}
	k[0], k[1], k[2], k[3] = a0, a1, b0, b1
	k[4] = ap<<48 | bp<<32 | low
	k[5] = in.Tags()
	return reverse
}

// Tags is word 5 of a packet's Key: the tags that it came under.
func (in *Info) Tags() uint64 {
	return uint64(in.Stack>>8)<<40 | uint64(in.VLANs)<<32 | uint64(in.VLAN[0]&0xfff)<<16 | uint64(in.VLAN[1]&0xfff)
}

// isQuery: messages with an identifier (RFC 792, RFC 950; RFC 5508 section 3): echo, timestamp, information and address mask, and their replies.
func isQuery(proto, typ uint8) bool {
	return isEcho(proto, typ) || proto == ProtoICMP && typ >= 13 && typ <= 18
}

// isEcho: RFC 792 and RFC 4443 echo request and reply.
func isEcho(proto, typ uint8) bool {
	return proto == ProtoICMP && (typ == 8 || typ == 0) || proto == ProtoICMPv6 && (typ == 128 || typ == 129)
}

// isError: ICMP messages that quote the packet they are about (RFC 792; RFC 4443: types below 128).
func isError(proto, typ uint8) bool {
	return proto == ProtoICMP && (typ == 3 || typ == 4 || typ == 5 || typ == 11 || typ == 12) || proto == ProtoICMPv6 && typ >= 1 && typ < 128
}

// quotedKey is the key of the packet quoted behind an ICMP error's 8-byte header. A quotation is cut short by design, so
// its own length fields are not believed; ports are enough.
func quotedKey(frame []byte, in *Info, k *Key) (reverse, ok bool) {
	var q Info
	frame = frame[:min(int(in.End), len(frame))] // what pads the frame is no quotation
	p := int(in.L4) + 8
	if !ParseQuoted(frame, p, in.Kind, &q) || q.Frag && !q.FirstFrag {
		return false, false
	}
	q.VLANs, q.VLAN, q.Stack = in.VLANs, in.VLAN, in.Stack
	q.Frag = q.Frag && !q.HasPorts // a first fragment says what ports the whole datagram has
	return q.key(frame, k), true
}

// ParseQuoted fills q from the IP packet that starts at offset p of frame, as an ICMP error quotes one: cut short
// anywhere behind the IP header. It reports whether a whole IP header of that kind is there. Offsets in q count from the
// start of frame.
func ParseQuoted(frame []byte, p int, kind Kind, q *Info) bool {
	*q = Info{L3: uint16(p)}
	if p > 0xff00 || p >= len(frame) {
		return false
	}
	// The quotation's length field speaks of the whole packet: give it all the wire it asks for.
	const wire = 1 << 20
	if kind == IPv4 {
		q.ipv4(frame, wire)
	} else {
		q.ipv6(frame, wire)
	}
	return q.Kind == kind && (q.Problem == OK || q.Problem == ShortTransport)
}
