package packet

import "encoding/binary"

// EtherTypes of headers that may stand between Ethernet and the network layer.
const (
	EtherBridge   = 0x6558 // Ethernet within something else (RFC 1701)
	EtherMPLS     = 0x8847
	EtherMPLSMany = 0x8848 // multicast labels (RFC 5332)
	EtherPPPoE    = 0x8864 // a session's data (RFC 2516)
)

// maxWraps is how many headers are passed on the way to the network layer.
const maxWraps = 16

// Wrapped reports whether more than an Ethernet header and the tags of VLAN stand before the network header: what is sent back to
// the sender can't be made of those alone.
func (in *Info) Wrapped() bool { return int(in.L3) > 14+4*int(in.VLANs) }

// unwrap passes headers of the kind et at off, any number of VLAN tags, MPLS labels, PPPoE, LLC with SNAP and Ethernet within
// these, and returns kind and place of the IP header behind them; not ok if there is none.
func unwrap(frame []byte, et uint16, off int) (kind uint16, at int, ok bool) {
	for range maxWraps {
		b := frame[min(off, len(frame)):]
		switch {
		case et == EtherIPv4 || et == EtherIPv6:
			return et, off, off <= 0xffff-60
		case et == EtherVLAN || et == EtherQinQ || et == EtherQinQ2:
			if len(b) < 4 {
				return 0, 0, false
			}
			et, off = binary.BigEndian.Uint16(b[2:]), off+4
		case et == EtherBridge:
			if len(b) < 14 {
				return 0, 0, false
			}
			et, off = binary.BigEndian.Uint16(b[12:]), off+14
		case et == EtherMPLS || et == EtherMPLSMany:
			if len(b) < 5 {
				return 0, 0, false
			}
			if off += 4; b[2]&1 == 0 {
				continue // another label
			}
			switch b[4] >> 4 { // no label says what it carries (RFC 4928)
			case 4:
				et = EtherIPv4
			case 6:
				et = EtherIPv6
			case 0: // a pseudowire's control word (RFC 4385), and Ethernet
				et, off = EtherBridge, off+4
			default:
				return 0, 0, false
			}
		case et == EtherPPPoE:
			if len(b) < 8 || b[0] != 0x11 || b[1] != 0 {
				return 0, 0, false
			}
			if et, ok = ppp(binary.BigEndian.Uint16(b[6:])); !ok {
				return 0, 0, false
			}
			off += 8
		case et < 1536: // a length: LLC, of which SNAP names an EtherType (RFC 1042)
			if len(b) < 8 || string(b[:6]) != "\xaa\xaa\x03\x00\x00\x00" {
				return 0, 0, false
			}
			et, off = binary.BigEndian.Uint16(b[6:]), off+8
			if et < 1536 {
				return 0, 0, false
			}
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// ppp is the EtherType of a PPP protocol.
func ppp(protocol uint16) (et uint16, ok bool) {
	switch protocol {
	case 0x0021:
		return EtherIPv4, true
	case 0x0057:
		return EtherIPv6, true
	}
	return 0, false
}

// ParseInner fills in from what a tunnel's packet of Info outer carries: a header of kind et at off of frame. Offsets count
// from the beginning of frame, and the VLAN tags are those of outer. It reports whether there is IP.
func ParseInner(frame []byte, outer *Info, et uint16, off int, in *Info) bool {
	end := int(outer.End)
	carried := frame[:min(len(frame), end)]
	vlans, vlan := outer.VLANs, outer.VLAN // in may be outer
	*in = Info{End: uint32(end), VLANs: vlans, VLAN: vlan}
	et, off, ok := unwrap(carried, et, off)
	if !ok {
		return false
	}
	in.network(carried, et, off, end)
	return in.Kind != NotIP
}

// network reads the IP header of kind et at off.
func (in *Info) network(frame []byte, et uint16, off, wire int) {
	in.EtherType = et
	in.L3, in.Payload = uint16(off), uint16(off)
	if et == EtherIPv4 {
		in.ipv4(frame, wire)
	} else {
		in.ipv6(frame, wire)
	}
}
