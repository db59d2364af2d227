package aws

import (
	"net/netip"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// read fills m from a MatchAttributes object.
func (m *match) read(a *group, n *jsonNode) {
	a.object(n, map[string]func(*jsonNode){
		"Sources":          func(n *jsonNode) { m.src = a.addresses(n) },
		"Destinations":     func(n *jsonNode) { m.dst = a.addresses(n) },
		"SourcePorts":      func(n *jsonNode) { m.sport = a.ports(n) },
		"DestinationPorts": func(n *jsonNode) { m.dport = a.ports(n) },
		"Protocols": func(n *jsonNode) {
			for _, x := range a.list(n) {
				v := ruleset.Num(uint64(a.int(x, 255)))
				m.protocols = append(m.protocols, ruleset.Span{Lo: v, Hi: v})
			}
		},
		"TCPFlags": func(n *jsonNode) { m.flags = a.tcpFlags(n) },
	})
}

// addresses reads [{"AddressDefinition": "10.0.0.0/8"}]; an empty list is any.
func (a *group) addresses(n *jsonNode) map[packet.Kind]ruleset.Spans {
	var out map[packet.Kind]ruleset.Spans
	for _, x := range a.list(n) {
		a.object(x, map[string]func(*jsonNode){"AddressDefinition": func(n *jsonNode) {
			text := a.text(n)
			pre, err := netip.ParsePrefix(text)
			if err != nil {
				addr, err := netip.ParseAddr(text)
				if err != nil || addr.Zone() != "" {
					a.Fail(n.pos, "found the address %q; expected an address or prefix such as 10.0.0.0/8 or 2001:db8::/32", text)
				}
				pre = netip.PrefixFrom(addr, addr.BitLen())
			}
			kind := packet.IPv4
			if pre.Addr().Is6() {
				kind = packet.IPv6
			}
			if out == nil {
				out = map[packet.Kind]ruleset.Spans{}
			}
			lo := ruleset.AddrValue(pre.Masked().Addr())
			out[kind] = append(out[kind], ruleset.Span{Lo: lo, Hi: lo.Or(ruleset.Ones(pre.Addr().BitLen() - pre.Bits()))})
		}})
	}
	return out
}

// ports reads [{"FromPort": 80, "ToPort": 90}]; an empty list is any.
func (a *group) ports(n *jsonNode) ruleset.Spans {
	var out ruleset.Spans
	for _, x := range a.list(n) {
		from, to := -1, -1
		a.object(x, map[string]func(*jsonNode){
			"FromPort": func(n *jsonNode) { from = a.int(n, 65535) },
			"ToPort":   func(n *jsonNode) { to = a.int(n, 65535) },
		})
		if from < 0 || to < from {
			a.Fail(x.pos, "a port range without FromPort and ToPort, or with the higher one first; expected both, the lower one first")
		}
		out = append(out, ruleset.Span{Lo: ruleset.Num(uint64(from)), Hi: ruleset.Num(uint64(to))})
	}
	return out
}

var flags = map[string]uint8{"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}

func (a *group) flagList(n *jsonNode) (f uint8) {
	for _, x := range a.list(n) {
		bit, ok := flags[strings.ToUpper(a.text(x))]
		if !ok {
			a.Fail(x.pos, "found the flag %q; expected FIN, SYN, RST, PSH, ACK, URG, ECE or CWR", a.text(x))
		}
		f |= bit
	}
	return f
}

// tcpFlags reads [{"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}] and returns the flag bytes that fit any of them. Without masks
// all flags are looked at.
func (a *group) tcpFlags(n *jsonNode) ruleset.Spans {
	var out ruleset.Spans
	for _, x := range a.list(n) {
		var set uint8
		mask := uint8(0xff)
		a.object(x, map[string]func(*jsonNode){
			"Flags": func(n *jsonNode) { set = a.flagList(n) },
			"Masks": func(n *jsonNode) {
				if len(a.list(n)) > 0 {
					mask = a.flagList(n)
				}
			},
		})
		if set&^mask != 0 {
			a.Fail(x.pos, "a flag in Flags that Masks leaves out; expected Flags among Masks")
		}
		for v := range uint64(256) {
			if uint8(v)&mask == set {
				out = append(out, ruleset.Span{Lo: ruleset.Num(v), Hi: ruleset.Num(v)})
			}
		}
	}
	return out
}
