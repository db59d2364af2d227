package replay

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// insideHosts are the hosts behind the inside port, by which a packet of a capture is given the port it came in on.
//
// A capture does not say on which side a packet was caught. With hosts named, a packet whose source is one of them came
// from inside, any other from outside. With none named, whoever opens a flow is inside: so functions that tell the two
// sides apart (nat, counters by direction) see the common case, clients behind the gateway.
type insideHosts struct {
	macs     [][]byte
	prefixes []netip.Prefix
}

// parseInsideHosts reads Ethernet addresses, IP addresses and prefixes.
func parseInsideHosts(words []string) (h insideHosts, err error) {
	for _, w := range words {
		if p, err := netip.ParsePrefix(w); err == nil {
			h.prefixes = append(h.prefixes, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(w); err == nil {
			h.prefixes = append(h.prefixes, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		m, err := net.ParseMAC(w)
		if err != nil || len(m) != 6 {
			return h, fmt.Errorf("found %q; expected an Ethernet address, an IP address or a prefix, such as 10.0.0.0/8", w)
		}
		h.macs = append(h.macs, m)
	}
	return h, nil
}

func (h *insideHosts) none() bool { return len(h.macs) == 0 && len(h.prefixes) == 0 }

// side returns the port that a packet came in on. follows says that it travels as the packet that opened its flow did.
func (h *insideHosts) side(in *packet.Info, frame []byte, follows bool) ingress.Side {
	inside := follows
	if !h.none() {
		inside = h.sent(in, frame)
	}
	if inside {
		return ingress.Inside
	}
	return ingress.Outside
}

// sent reports whether one of the hosts sent the packet.
func (h *insideHosts) sent(in *packet.Info, frame []byte) bool {
	for _, m := range h.macs {
		if bytes.Equal(m, frame[6:12]) {
			return true
		}
	}
	if in.Kind == packet.NotIP || len(h.prefixes) == 0 {
		return false
	}
	a, _ := netip.AddrFromSlice(in.Src(frame))
	for _, p := range h.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
