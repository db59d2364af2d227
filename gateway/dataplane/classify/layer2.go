package classify

import "github.com/granule-nf/granule/ingress/packet"

// crossesUnjudged reports whether a packet crosses at layer 2: all that is not IP, and of IP link-local control, multicast and
// broadcast.
func crossesUnjudged(frame []byte, in *packet.Info) bool {
	if in.Kind == packet.NotIP || frame[0]&1 != 0 {
		return true
	}
	switch in.Proto {
	case packet.ProtoICMPv6:
		// Neighbour discovery (RFC 4861) and multicast listener reports (RFC 2710, 3810), unicast ones too.
		return in.HasL4 && (in.ICMPType >= 130 && in.ICMPType <= 137 || in.ICMPType == 143)
	case packet.ProtoIGMP:
		return in.Kind == packet.IPv4
	}
	return false
}
