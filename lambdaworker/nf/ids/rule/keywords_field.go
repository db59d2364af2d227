package rule

import (
	"fmt"
	"strconv"
	"strings"
)

func numeric(kind FieldKind, max uint64, names map[string]uint64) keyword {
	return keyword{argNeeded, func(p *parser, arg string, _ int) error {
		r, err := number(arg, max, names)
		p.rule.Fields = append(p.rule.Fields, Field{Kind: kind, Range: r})
		p.rule.NeedPacket = true
		return err
	}}
}

// mayQuote takes the value in quotes as well.
func mayQuote(k keyword) keyword {
	plain := k.set
	k.set = func(p *parser, arg string, at int) error {
		if s := strings.TrimSpace(arg); len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
			arg = s[1 : len(s)-1]
		}
		return plain(p, arg, at)
	}
	return k
}

var protocols = map[string]uint64{
	"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132,
	"egp": 8, "igp": 9, "rsvp": 46, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "udplite": 136,
}

var ipOptions = map[string]uint32{
	"rr": 7, "lsrr": 131, "eol": 0, "nop": 1, "ts": 68, "sec": 130, "esec": 133, "ssrr": 137, "satid": 136, "any": 256,
	"qs": 25, "cipso": 134, "rtralt": 148,
}

// fields are the keywords about a packet's headers.
var fields = map[string]keyword{
	"ttl":         numeric(FieldTTL, 255, nil),
	"tos":         {argNeeded, (*parser).tos},
	"id":          mayQuote(numeric(FieldID, 65535, nil)),
	"seq":         numeric(FieldSeq, 1<<32-1, nil),
	"tcp.seq":     numeric(FieldSeq, 1<<32-1, nil),
	"ack":         numeric(FieldAck, 1<<32-1, nil),
	"tcp.ack":     numeric(FieldAck, 1<<32-1, nil),
	"window":      numeric(FieldWindow, 65535, nil),
	"tcp.window":  numeric(FieldWindow, 65535, nil),
	"tcp.mss":     numeric(FieldMSS, 65535, nil),
	"itype":       numeric(FieldIType, 255, nil),
	"icode":       numeric(FieldICode, 255, nil),
	"icmp_id":     mayQuote(numeric(FieldICMPID, 65535, nil)),
	"icmp_seq":    mayQuote(numeric(FieldICMPSeq, 65535, nil)),
	"icmpv6.mtu":  numeric(FieldICMPv6MTU, 1<<32-1, nil),
	"dsize":       numeric(FieldDSize, 65535, nil),
	"fragoffset":  numeric(FieldFragOffset, 65535, nil),
	"ip_proto":    numeric(FieldIPProto, 255, protocols),
	"vlan.layers": numeric(FieldVLANs, 3, nil),
	"sameip": {argNone, func(p *parser, _ string, _ int) error {
		p.rule.Fields = append(p.rule.Fields, Field{Kind: FieldSameIP})
		p.rule.NeedPacket = true
		return nil
	}},
	"ipopts": {argNeeded, func(p *parser, arg string, _ int) error {
		n, ok := ipOptions[strings.TrimSpace(arg)]
		if !ok {
			return fmt.Errorf("%q is no IP option; rr lsrr ssrr eol nop ts sec esec cipso satid rtralt qs any are", arg)
		}
		p.rule.Fields = append(p.rule.Fields, Field{Kind: FieldIPOpts, Bits: n})
		p.rule.NeedPacket = true
		return nil
	}},
	"fragbits":  {argNeeded, (*parser).fragBits},
	"flags":     {argNeeded, (*parser).tcpFlags},
	"tcp.flags": {argNeeded, (*parser).tcpFlags},
	"app-layer-protocol": {argNeeded, func(p *parser, arg string, _ int) error {
		s, mode, _ := strings.Cut(strings.TrimSpace(arg), ",")
		f := Field{Kind: FieldApp}
		switch mode = strings.TrimSpace(mode); mode {
		// A flow has one protocol for both directions here, and keeps it.
		case "", "final", "original", "either", "both", "to_server", "toserver", "to_client", "toclient":
		default:
			return fmt.Errorf("%q is no mode; final original either both to_server to_client are", mode)
		}
		if strings.HasPrefix(s, "!") {
			f.Negated = true
			s = s[1:]
		}
		apps := map[string]App{"http": AppHTTP, "http1": AppHTTP, "dns": AppDNS, "tls": AppTLS, "ssl": AppTLS,
			"ftp": AppFTP, "smtp": AppSMTP, "smb": AppSMB, "ssh": AppSSH, "failed": AppFailed}
		app, ok := apps[strings.TrimSpace(s)]
		if !ok {
			return fmt.Errorf("%q is no protocol known here; http dns tls ftp smtp smb ssh failed are", s)
		}
		f.App = app
		p.rule.Fields = append(p.rule.Fields, f)
		return nil
	}},
	"l3_proto": {argNeeded, func(p *parser, arg string, _ int) error {
		n := map[string]uint64{"ipv4": 4, "ip4": 4, "ipv6": 6, "ip6": 6}[strings.ToLower(strings.TrimSpace(arg))]
		if n == 0 {
			return fmt.Errorf("%q is neither ipv4 nor ipv6", arg)
		}
		p.rule.Fields = append(p.rule.Fields, Field{Kind: FieldL3, Range: Range{A: n}})
		return nil
	}},
}

func (p *parser) tos(arg string, _ int) error {
	s := strings.TrimSpace(arg)
	r := Range{Op: Equal}
	if strings.HasPrefix(s, "!") {
		r.Op, s = NotEqual, strings.TrimSpace(s[1:])
	}
	base := 10
	if strings.HasPrefix(s, "x") {
		base, s = 16, s[1:]
	}
	n, err := strconv.ParseUint(s, base, 8)
	if err != nil {
		if n, err = strconv.ParseUint(s, 0, 8); err != nil {
			return fmt.Errorf("%q is no number from 0 to 255", arg)
		}
	}
	r.A = n
	p.rule.Fields = append(p.rule.Fields, Field{Kind: FieldTOS, Range: r})
	p.rule.NeedPacket = true
	return nil
}

func (p *parser) fragBits(arg string, _ int) error {
	f := Field{Kind: FieldFragBits}
	for _, c := range strings.TrimSpace(arg) {
		switch c {
		case '+', '*', '!':
			f.Mode = byte(c)
		case 'M':
			f.Bits |= 1 << 0
		case 'D':
			f.Bits |= 1 << 1
		case 'R':
			f.Bits |= 1 << 2
		default:
			return fmt.Errorf("%q is no fragment bit; M D R are, behind one of +, * and !, as first character", c)
		}
	}
	p.rule.Fields = append(p.rule.Fields, f)
	p.rule.NeedPacket = true
	return nil
}

var flagBits = map[rune]uint32{'F': 1, 'S': 2, 'R': 4, 'P': 8, 'A': 16, 'U': 32, '2': 64, 'E': 64, '1': 128, 'C': 128, '0': 0}

func (p *parser) tcpFlags(arg string, _ int) error {
	set, ignore, _ := strings.Cut(arg, ",")
	f := Field{Kind: FieldFlags, Mask: 0xff}
	for _, c := range strings.TrimSpace(set) {
		if c == '+' || c == '*' || c == '!' {
			f.Mode = byte(c)
			continue
		}
		b, ok := flagBits[c]
		if !ok {
			return fmt.Errorf("%q is no TCP flag; F S R P A U E C 0 are, behind one of +, * and !, as first character", c)
		}
		f.Bits |= b
	}
	for _, c := range strings.TrimSpace(ignore) {
		b, ok := flagBits[c]
		if !ok {
			return fmt.Errorf("%q is no TCP flag to ignore", c)
		}
		f.Mask &^= b
	}
	p.rule.Fields = append(p.rule.Fields, f)
	p.rule.NeedPacket = true
	return nil
}
