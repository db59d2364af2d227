// Package decap finds what tunnels carry: GRE, IP in IP in all its forms, Teredo, VXLAN and GENEVE.
package decap

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
)

// Ports of tunnels within UDP (IANA "Service Name and Transport Protocol Port Number Registry").
const (
	portTeredo = 3544
	portVXLAN  = 4789
	portGENEVE = 6081
)

const (
	protoIPIP = 4  // RFC 2003, RFC 2473
	proto6in4 = 41 // RFC 4213, RFC 2473
)

// Inner finds the packet that a tunnel's packet carries: the kind of its outermost header, as an EtherType, and its place
// in frame. in is of a packet that is no fragment. Not ok: it is no tunnel's.
func Inner(in *packet.Info, frame []byte) (et uint16, at int, ok bool) {
	if in.Problem != packet.OK || in.L4 == 0 {
		return 0, 0, false
	}
	end := min(int(in.End), len(frame))
	switch in.Proto {
	case protoIPIP:
		return packet.EtherIPv4, int(in.L4), end >= int(in.L4)+20
	case proto6in4:
		return packet.EtherIPv6, int(in.L4), end >= int(in.L4)+40
	case packet.ProtoGRE:
		if int(in.L4) > end {
			return 0, 0, false
		}
		et, n, ok := gre(frame[in.L4:end])
		return et, int(in.L4) + n, ok
	case packet.ProtoUDP:
		b := in.Bytes(frame)
		var n int
		switch {
		case either(in, portTeredo):
			et, n, ok = teredo(b)
		case either(in, portVXLAN):
			et, n, ok = vxlan(b)
		case either(in, portGENEVE):
			et, n, ok = geneve(b)
		}
		return et, int(in.Payload) + n, ok
	}
	return 0, 0, false
}

func either(in *packet.Info, port uint16) bool { return in.SrcPort == port || in.DstPort == port }

// gre reads the header of RFC 2784 with the options of RFC 2890 and RFC 1701, or the enhanced one of PPTP (RFC 2637).
//
//	|C|R|K|S|s|Recur|A| Flags | Ver |         Protocol Type         |
//	|      Checksum (optional)      |       Offset (optional)       |
//	|                        Key (optional)                         |
//	|                  Sequence Number (optional)                   |
//	|                Acknowledgment Number (optional)               |
func gre(b []byte) (et uint16, n int, ok bool) {
	if len(b) < 4 {
		return 0, 0, false
	}
	sum, routing, key, sequence := b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x20 != 0, b[0]&0x10 != 0
	version := b[1] & 7
	et, n = binary.BigEndian.Uint16(b[2:]), 4
	switch {
	case version > 1 || version == 0 && (b[0]&7 != 0 || b[1]&0xf8 != 0) || version == 1 && (sum || routing || !key):
		return 0, 0, false
	case sum || routing:
		n += 4
	}
	if key {
		n += 4
	}
	if sequence {
		n += 4
	}
	if version == 1 && b[1]&0x80 != 0 {
		n += 4
	}
	for routing { // source route entries, up to one of no length
		if len(b) < n+4 {
			return 0, 0, false
		}
		size := int(b[n+3])
		routing = size > 0
		n += 4 + size
	}
	switch et {
	case protoPPP:
		return ppp(b, n)
	case protoERSPAN: // of a type by whether there is a sequence number
		if sequence {
			n += 8
		}
		et = packet.EtherBridge
	case protoERSPAN3:
		n += 12
		et = packet.EtherBridge
	}
	return et, n, n < len(b)
}

// Protocol types of GRE that are no EtherTypes that packet.ParseInner reads.
const (
	protoPPP     = 0x880b
	protoERSPAN  = 0x88be
	protoERSPAN3 = 0x22eb
)

// ppp reads PPP's header (RFC 1661, RFC 1662), whose address, control and first byte of protocol may be left out.
func ppp(b []byte, n int) (uint16, int, bool) {
	if len(b) >= n+2 && b[n] == 0xff && b[n+1] == 0x03 {
		n += 2
	}
	switch {
	case len(b) >= n+2 && b[n] == 0x00 && b[n+1] == 0x21:
		return packet.EtherIPv4, n + 2, true
	case len(b) >= n+2 && b[n] == 0x00 && b[n+1] == 0x57:
		return packet.EtherIPv6, n + 2, true
	case len(b) >= n+1 && b[n] == 0x21:
		return packet.EtherIPv4, n + 1, true
	case len(b) >= n+1 && b[n] == 0x57:
		return packet.EtherIPv6, n + 1, true
	}
	return 0, 0, false
}

// teredo passes the indications of RFC 4380 section 5.1.1. Nothing says that it is Teredo but that an IPv6 packet fills the rest.
func teredo(b []byte) (et uint16, n int, ok bool) {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 { // authentication: two lengths, nonce, confirmation
		n = 13 + int(b[2]) + int(b[3])
	}
	if len(b) >= n+8 && b[n] == 0 && b[n+1] == 0 { // origin
		n += 8
	}
	if len(b) < n+40 || b[n]>>4 != 6 || b[n+7] == 0 {
		return 0, 0, false
	}
	return packet.EtherIPv6, n, len(b) == n+40+int(binary.BigEndian.Uint16(b[n+4:]))
}

// vxlan reads the header of RFC 7348 section 5: its I flag is set.
func vxlan(b []byte) (et uint16, n int, ok bool) {
	if len(b) < 8+14 || b[0]&8 == 0 || b[7] != 0 {
		return 0, 0, false
	}
	return packet.EtherBridge, 8, true
}

// geneve reads the header of RFC 8926 section 3.4.
func geneve(b []byte) (et uint16, n int, ok bool) {
	if len(b) < 8 || b[0]>>6 != 0 || b[7] != 0 {
		return 0, 0, false
	}
	n = 8 + int(b[0]&0x3f)*4
	return binary.BigEndian.Uint16(b[2:]), n, n < len(b)
}
