package match

import (
	"sort"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

// ports is `port N` or `portrange A-B` with what stood before it.
func (p *parser) ports(t token, q qualifiers) test {
	protos := []uint8{packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP}
	if q.protoWord != "" {
		switch q.protoWord {
		case "tcp", "udp", "sctp":
			protos = []uint8{q.proto.number}
		default:
			p.fail(t, "found a port behind %q; expected tcp, udp, sctp or nothing before it", q.protoWord)
			return nil
		}
	}
	low, limit, ok := p.port(t, t.text)
	high := low
	if !ok && p.failed == nil && q.addr == portRange {
		a, b, found := splitRange(t.text)
		var limitHigh uint8
		if found {
			low, limit, ok = p.port(t, a)
			if ok {
				high, limitHigh, ok = p.port(t, b)
			}
			if limit != limitHigh {
				limit = 0
			}
		}
	}
	if !ok {
		p.fail(t, "found %s; expected %s", t, portsWanted(q))
		return nil
	}
	if limit != 0 {
		if q.protoWord != "" && q.proto.number != limit {
			p.fail(t, "found %s behind %q, but the service is one of %s; write the number", t, q.protoWord, transportName(limit))
			return nil
		}
		protos = []uint8{limit}
	}
	if low > high {
		low, high = high, low
	}
	var four, six []test
	l := p.layer.payload
	for _, n := range protos {
		four = append(four, allOf(
			equal(l+9, 1, uint32(n)),
			field{l + 6, 2, 0x1fff, 0, 0}, // the first fragment has the ports
			ends(q.dir, behindIPv4{l, 0, low, high}, behindIPv4{l, 2, low, high}),
		))
		six = append(six, both{
			equal(l+6, 1, uint32(n)),
			ends(q.dir, field{l + 40, 2, 0xffff, low, high}, field{l + 42, 2, 0xffff, low, high}),
		})
	}
	return either{
		both{p.linkType(packet.EtherIPv6), anyOf(six...)},
		both{p.linkType(packet.EtherIPv4), anyOf(four...)},
	}
}

// port reads a port's number or name. protocol is that to which a name is limited, or 0.
func (p *parser) port(t token, s string) (n uint32, protocol uint8, ok bool) {
	if v, isNumber := number(s); isNumber && numberShape.MatchString(s) {
		if v > 65535 {
			p.fail(t, "found the port %s; expected 0 to 65535", s)
			return 0, 0, false
		}
		return v, 0, true
	}
	v, ok := services[strings.ToLower(s)]
	return v.port, v.protocol, ok
}

// splitRange cuts "a-b" where both sides mean something; names of services may hold dashes.
func splitRange(s string) (a, b string, ok bool) {
	for i := range s {
		if s[i] != '-' {
			continue
		}
		if known(s[:i]) && known(s[i+1:]) {
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

func known(s string) bool {
	_, service := services[s]
	return service || numberShape.MatchString(s)
}

func portsWanted(q qualifiers) string {
	if q.addr == portRange {
		return "a range of ports, such as 1000-2000"
	}
	var names []string
	for n := range services {
		names = append(names, n)
	}
	sort.Strings(names)
	return "a port's number, or one of " + strings.Join(names, ", ")
}

func transportName(n uint8) string {
	if n == packet.ProtoTCP {
		return "tcp"
	}
	return "udp"
}

// ends joins the questions about both ends as a direction says.
func ends(d direction, source, destination test) test {
	switch d {
	case src:
		return source
	case dst:
		return destination
	case srcAndDst:
		return both{source, destination}
	}
	return either{source, destination}
}

func someNames(names map[string]uint32) string {
	var all []string
	for n := range names {
		all = append(all, n)
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
