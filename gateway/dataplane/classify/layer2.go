package classify

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
)

// Protocols of layer 2 that have a name. Each is an index into what a gateway counts by name; EtherTypes without a name come behind.
const (
	ARP uint8 = iota
	LLDP
	STP
	LACP
	EAPOL
	ND
	IGMP
	MLD
	numNamed
)

// MaxLayer2 is how many counters there are: the protocols with a name, and EtherTypes.
const MaxLayer2 = 32

// Layer2 is the list of what crosses the gateway unjudged. The zero value lets nothing cross.
type Layer2 struct {
	named [numNamed]bool
	types [MaxLayer2 - int(numNamed)]uint16
	n     int // of types
}

// crosses reports whether a packet is on the list, and its index.
func (l *Layer2) crosses(frame []byte, in *packet.Info) (uint8, bool) {
	var p uint8
	switch {
	case in.Kind == packet.NotIP:
		if in.Problem != packet.OK {
			return 0, false
		}
		return l.ethernet(frame, in)
	case in.Proto == packet.ProtoICMPv6 && neighbourDiscovery(frame, in):
		p = ND
	case in.Proto == packet.ProtoICMPv6 && listenerReport(frame, in):
		p = MLD
	case in.Proto == packet.ProtoIGMP && membershipReport(frame, in):
		p = IGMP
	default:
		return 0, false
	}
	return p, l.named[p]
}

// ethernet is crosses for what is not IP.
func (l *Layer2) ethernet(frame []byte, in *packet.Info) (uint8, bool) {
	p := numNamed
	switch in.EtherType {
	case packet.EtherARP:
		p = ARP
	case packet.EtherLLDP:
		p = LLDP
	case packet.EtherSlow:
		p = LACP
	case packet.EtherEAPOL:
		p = EAPOL
	default:
		if spanningTree(frame, in) {
			p = STP
		}
	}
	if p < numNamed {
		return p, l.named[p]
	}
	for i, t := range l.types[:l.n] {
		if t == in.EtherType {
			return numNamed + uint8(i), true
		}
	}
	return 0, false
}

// spanningTree: IEEE 802.1D BPDUs to the bridges' group address or the provider bridges', and those that a VLAN's spanning tree sends to its own.
func spanningTree(frame []byte, in *packet.Info) bool {
	body := frame[in.L3:]
	switch binary.BigEndian.Uint64(frame) >> 16 {
	case 0x0180c2000000, 0x0180c2000008:
		return in.EtherType < 0x600 && len(body) >= 3 && body[0] == 0x42 && body[1] == 0x42 && body[2] == 3
	case 0x01000ccccccd:
		return in.EtherType < 0x600 && len(body) >= 8 && binary.BigEndian.Uint64(body) == 0xaaaa0300000c010b
	}
	return false
}

// plain reports whether an ICMPv6 message is whole and by itself: neither is a fragment (RFC 6980), nor behind another kind of header.
func plain(in *packet.Info, hopLimit uint8) bool {
	return in.Kind == packet.IPv6 && in.Problem == packet.OK && in.HasL4 && !in.Frag && in.TTL == hopLimit && in.ICMPCode == 0
}

// neighbourDiscovery reports whether a packet is of RFC 4861 and has the form that it demands: never forwarded by a router (hop limit 255), and
// about the link. Between addresses that are not the link's own, only what asks an address about itself, and its answer, is.
func neighbourDiscovery(frame []byte, in *packet.Info) bool {
	if in.ICMPType < 133 || in.ICMPType > 137 || !plain(in, 255) || int(in.L4) != int(in.L3)+40 {
		return false
	}
	src, dst, body := in.Src(frame), in.Dst(frame), frame[in.L4:min(int(in.End), len(frame))]
	target := func(address []byte) bool { return len(body) >= 24 && string(body[8:24]) == string(address) }
	switch in.ICMPType {
	case 133: // router solicitation
		return len(body) >= 8 && (linkLocal(dst) || ofLink(dst))
	case 134: // router advertisement
		return len(body) >= 16 && linkLocal(src) && (linkLocal(dst) || ofLink(dst))
	case 135: // neighbour solicitation
		return len(body) >= 24 && (ofLink(dst) || target(dst))
	case 136: // neighbour advertisement
		return len(body) >= 24 && (ofLink(dst) || linkLocal(dst) || target(src))
	default: // redirect
		return len(body) >= 40 && linkLocal(src)
	}
}

// listenerReport reports whether a packet is of RFC 2710 or 3810 and has the form that they demand: hop limit 1, a router alert, from a link-local
// address or none, to a group.
func listenerReport(frame []byte, in *packet.Info) bool {
	if in.ICMPType != 143 && (in.ICMPType < 130 || in.ICMPType > 132) || !plain(in, 1) || frame[in.L3+6] != packet.ProtoHopByHop {
		return false
	}
	src := in.Src(frame)
	return (linkLocal(src) || unspecified(src)) && multicast(in.Dst(frame)) && routerAlert(frame[in.L3+40:in.L4])
}

// routerAlert looks for the option of RFC 2711 in a hop-by-hop header and what follows it.
func routerAlert(options []byte) bool {
	for o := options[2:min(len(options), 8+int(options[1])*8)]; len(o) >= 2; {
		switch {
		case o[0] == 5:
			return true
		case o[0] == 0: // Pad1 has no length
			o = o[1:]
		default:
			o = o[min(len(o), 2+int(o[1])):]
		}
	}
	return false
}

// membershipReport: RFC 1112, 2236, 3376. To a group, and no further than the link.
func membershipReport(frame []byte, in *packet.Info) bool {
	return in.Kind == packet.IPv4 && in.Problem == packet.OK && !in.Frag && in.TTL == 1 && in.Dst(frame)[0]>>4 == 0xe
}

func linkLocal(a []byte) bool { return a[0] == 0xfe && a[1]&0xc0 == 0x80 }
func multicast(a []byte) bool { return a[0] == 0xff }
func ofLink(a []byte) bool    { return a[0] == 0xff && a[1]&15 == 2 } // a group of link-local scope

func unspecified(a []byte) bool {
	return binary.BigEndian.Uint64(a)|binary.BigEndian.Uint64(a[8:]) == 0
}
