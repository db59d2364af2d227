package packet

import "encoding/binary"

// EtherTypes that Parse looks behind, or that are named elsewhere (IEEE 802 numbers).
const (
	EtherIPv4           = 0x0800
	EtherARP            = 0x0806
	EtherBridge         = 0x6558 // Ethernet within something else (RFC 1701)
	EtherVLAN           = 0x8100
	EtherIPv6           = 0x86dd
	EtherSlow           = 0x8809 // slow protocols, LACP among them
	EtherMPLS           = 0x8847
	EtherMPLSUpstream   = 0x8848 // RFC 5332; multicast before
	EtherPPPoEDiscovery = 0x8863
	EtherPPPoESession   = 0x8864
	EtherJumboLLC       = 0x8870 // LLC follows, of a frame too long for a length field
	EtherEAPOL          = 0x888e
	EtherQinQ           = 0x88a8
	EtherLLDP           = 0x88cc
	EtherQinQ1          = 0x9100 // tags of switches from before 802.1ad
	EtherQinQ2          = 0x9200
	EtherQinQ3          = 0x9300

	maxLength = 1500 // an EtherType up to this is IEEE 802.3's length field: LLC follows
)

// PPP protocol numbers (RFC 1661, 5072, 3032).
const (
	pppIPv4         = 0x0021
	pppIPv6         = 0x0057
	pppMPLS         = 0x0281
	pppMPLSUpstream = 0x0283
)

// maxL3 is where a network header may begin at the latest: offsets of what is behind it must fit 16 bits.
const maxL3 = 0xf000

// isTag reports whether an EtherType is a VLAN tag's.
func isTag(et uint16) bool {
	switch et {
	case EtherVLAN, EtherQinQ, EtherQinQ1, EtherQinQ2, EtherQinQ3:
		return true
	}
	return false
}

// link walks from what is of type et at off to the network header: any number of VLAN tags, LLC with SNAP (RFC 1042), PPPoE sessions (RFC 2516),
// MPLS labels (RFC 3032), and Ethernet within these, in any order. A host at the end of such a tunnel takes the IP packet out, so whoever judges IP has to find
// it there. It sets EtherType and L3, and what a flow's key needs of the tags; it reports whether the headers are whole.
func (in *Info) link(frame []byte, et uint16, off int) bool {
	for off <= min(maxL3, len(frame)) {
		in.EtherType, in.L3 = et, uint16(off)
		rest := frame[off:]
		switch {
		case et == EtherIPv4 || et == EtherIPv6:
			return true
		case isTag(et):
			if len(rest) < 4 {
				return false
			}
			in.tag(binary.BigEndian.Uint16(rest))
			et = binary.BigEndian.Uint16(rest[2:])
			off += 4
		case et == EtherMPLS || et == EtherMPLSUpstream:
			n := labels(rest)
			if n == 0 {
				return false
			}
			switch et = byVersion(rest[n:]); {
			case et != 0:
				off += n
			case len(rest) >= n+4 && rest[n]>>4 == 0: // a pseudowire's control word (RFC 4385), and Ethernet
				et, off = EtherBridge, off+n+4
			default:
				return true // what is in there is no IP packet, and nothing says what else
			}
		case et == EtherBridge:
			if len(rest) < 14 {
				return true
			}
			et, off = binary.BigEndian.Uint16(rest[12:]), off+14
		case et == EtherPPPoESession:
			if len(rest) < 8 {
				return false
			}
			ppp, n := int(binary.BigEndian.Uint16(rest[6:])), 8
			if ppp>>8&1 == 1 { // the protocol field may be compressed (RFC 1661 section 6.5)
				ppp, n = ppp>>8, 7
			}
			switch ppp {
			case pppIPv4:
				et = EtherIPv4
			case pppIPv6:
				et = EtherIPv6
			case pppMPLS, pppMPLSUpstream:
				et = EtherMPLS
			default:
				return true
			}
			in.mix(1<<16 | uint32(binary.BigEndian.Uint16(rest[2:])))
			off += n
		case et <= maxLength || et == EtherJumboLLC:
			inner, n := llc(rest)
			if inner == 0 {
				return true
			}
			et, off = inner, off+n
		default:
			return true
		}
	}
	return false
}

// tag notes a VLAN tag: two are kept, those behind them count for the flow's key.
func (in *Info) tag(tci uint16) {
	if int(in.VLANs) < len(in.VLAN) {
		in.VLAN[in.VLANs] = tci
	} else {
		in.mix(uint32(tci & 0xfff))
	}
	if in.VLANs < 255 {
		in.VLANs++
	}
}

// mix makes Stack depend on v and on the order.
func (in *Info) mix(v uint32) {
	in.Stack = (in.Stack ^ (v + 1)) * 0x9e3779b1
	in.Stack ^= in.Stack >> 15
}

// labels returns the length of an MPLS label stack, 0 if its end is not there.
func labels(b []byte) int {
	for n := 4; n <= len(b); n += 4 {
		if b[n-2]&1 == 1 { // bottom of stack
			return n
		}
	}
	return 0
}

// byVersion is the EtherType of an IP packet that nothing else announces; 0 if it begins like none.
func byVersion(b []byte) uint16 {
	if len(b) > 0 {
		switch b[0] >> 4 {
		case 4:
			return EtherIPv4
		case 6:
			return EtherIPv6
		}
	}
	return 0
}

// llc returns the EtherType behind an LLC header and the header's length; 0 if none is named. Organization codes 00-00-00 (RFC 1042) and
// 00-00-F8 (IEEE 802.1H) mean EtherTypes; SAP 06 is IP (RFC 1042's predecessor, RFC 948).
func llc(b []byte) (et uint16, n int) {
	switch {
	case len(b) >= 8 && b[0] == 0xaa && b[1] == 0xaa && b[2] == 3 && b[3] == 0 && b[4] == 0 && (b[5] == 0 || b[5] == 0xf8):
		return binary.BigEndian.Uint16(b[6:]), 8
	case len(b) >= 4 && b[0] == 6 && b[1] == 6 && b[2] == 3:
		return byVersion(b[3:]), 3
	}
	return 0, 0
}
