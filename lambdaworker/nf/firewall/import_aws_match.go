package firewall

import (
	"net/netip"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

// read fills m from a MatchAttributes object.
func (m *awsMatch) read(a *awsGroup, n *jsonNode) {
	a.object(n, map[string]func(*jsonNode){
		"Sources":          func(n *jsonNode) { m.src = a.addresses(n) },
		"Destinations":     func(n *jsonNode) { m.dst = a.addresses(n) },
		"SourcePorts":      func(n *jsonNode) { m.sport = a.ports(n) },
		"DestinationPorts": func(n *jsonNode) { m.dport = a.ports(n) },
		"Protocols": func(n *jsonNode) {
			for _, x := range a.list(n) {
				v := num(uint64(a.int(x, 255)))
				m.protocols = append(m.protocols, span{v, v})
			}
		},
		"TCPFlags": func(n *jsonNode) { m.flags = a.tcpFlags(n) },
	})
}

// addresses reads [{"AddressDefinition": "10.0.0.0/8"}]; an empty list is any.
func (a *awsGroup) addresses(n *jsonNode) map[packet.Kind]spans {
	var out map[packet.Kind]spans
	for _, x := range a.list(n) {
		a.object(x, map[string]func(*jsonNode){"AddressDefinition": func(n *jsonNode) {
			text := a.text(n)
			pre, err := netip.ParsePrefix(text)
			if err != nil {
				addr, err := netip.ParseAddr(text)
				if err != nil || addr.Zone() != "" {
					a.fail(n.pos, "found the address %q; expected an address or prefix such as 10.0.0.0/8 or 2001:db8::/32", text)
				}
				pre = netip.PrefixFrom(addr, addr.BitLen())
			}
			kind := packet.IPv4
			if pre.Addr().Is6() {
				kind = packet.IPv6
			}
			if out == nil {
				out = map[packet.Kind]spans{}
			}
			lo := addrValue(pre.Masked().Addr())
			out[kind] = append(out[kind], span{lo, lo.or(ones(pre.Addr().BitLen() - pre.Bits()))})
		}})
	}
	return out
}

// ports reads [{"FromPort": 80, "ToPort": 90}]; an empty list is any.
func (a *awsGroup) ports(n *jsonNode) spans {
	var out spans
	for _, x := range a.list(n) {
		from, to := -1, -1
		a.object(x, map[string]func(*jsonNode){
			"FromPort": func(n *jsonNode) { from = a.int(n, 65535) },
			"ToPort":   func(n *jsonNode) { to = a.int(n, 65535) },
		})
		if from < 0 || to < from {
			a.fail(x.pos, "a port range without FromPort and ToPort, or with the higher one first; expected both, the lower one first")
		}
		out = append(out, span{num(uint64(from)), num(uint64(to))})
	}
	return out
}

var awsFlags = map[string]uint8{"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}

func (a *awsGroup) flagList(n *jsonNode) (f uint8) {
	for _, x := range a.list(n) {
		bit, ok := awsFlags[strings.ToUpper(a.text(x))]
		if !ok {
			a.fail(x.pos, "found the flag %q; expected FIN, SYN, RST, PSH, ACK, URG, ECE or CWR", a.text(x))
		}
		f |= bit
	}
	return f
}

// tcpFlags reads [{"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}] and returns the flag bytes that fit any of them. Without masks
// all flags are looked at.
func (a *awsGroup) tcpFlags(n *jsonNode) spans {
	var out spans
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
			a.fail(x.pos, "a flag in Flags that Masks leaves out; expected Flags among Masks")
		}
		for v := range uint64(256) {
			if uint8(v)&mask == set {
				out = append(out, span{num(v), num(v)})
			}
		}
	}
	return out
}
