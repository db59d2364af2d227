package classify

import "github.com/granule-nf/granule/ingress/packet"

// linkControl reports whether an IP packet is what neighbours need to find each other and to join groups. Whatever else is IP is judged, its MAC address
// notwithstanding: hosts take unicast packets out of broadcast frames, too.
func linkControl(in *packet.Info) bool {
	switch in.Proto {
	case packet.ProtoICMPv6:
		// Neighbour discovery (RFC 4861) and multicast listener reports (RFC 2710, 3810), unicast ones too.
		return in.HasL4 && (in.ICMPType >= 130 && in.ICMPType <= 137 || in.ICMPType == 143)
	case packet.ProtoIGMP:
		return in.Kind == packet.IPv4
	}
	return false
}
