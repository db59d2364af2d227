package nft

import (
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

var limitUnits = map[string]uint64{"second": 1e9, "minute": 60e9, "hour": 3600e9, "day": 86400e9, "week": 7 * 86400e9}

var byteUnits = map[string]uint64{"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20}

// BurstDefault is what nft takes where no burst is given.
const BurstDefault = 5

// limit parses `rate [over] 10/second [burst 5 packets]` and `rate 10 mbytes/second [burst 1 mbytes]`.
func (p *Parser) limit() *ruleset.Limit {
	if !p.acceptWord("rate") {
		p.expected("rate")
	}
	l := &ruleset.Limit{}
	l.Over = p.acceptWord("over")
	if !l.Over {
		p.acceptWord("until")
	}
	rt := p.peek()
	l.Rate = p.number("a rate such as 10/second or 5 mbytes/second", 40)
	if t := p.peek(); t.Kind == TokenWord {
		// The lexer takes `mbytes/second` for one word, as nft's does for names with slashes.
		unit, per, ok := strings.Cut(t.Text, "/")
		k, known := byteUnits[unit]
		if !known {
			p.expected(`"/" and a unit of time, or bytes, kbytes, mbytes`)
		}
		p.take()
		l.Bytes = true
		l.Rate *= k
		if ok {
			l.Period = p.timeUnit(per, t)
		}
	}
	if l.Rate == 0 {
		p.Fail(rt.Pos, "a rate of 0; expected at least 1")
	}
	if l.Period == 0 {
		p.expect("/")
		t := p.expectWord("second, minute, hour, day or week")
		l.Period = p.timeUnit(t.Text, t)
	}
	if !l.Bytes {
		l.Burst = BurstDefault
	}
	if p.acceptWord("burst") {
		bt := p.peek()
		l.Burst = p.number("a burst", 32)
		if l.Bytes {
			t := p.expectWord("bytes, kbytes or mbytes")
			k, ok := byteUnits[t.Text]
			if !ok {
				p.Fail(t.Pos, "found %q; expected bytes, kbytes or mbytes", t.Text)
			}
			l.Burst *= k
		} else {
			if l.Burst == 0 {
				p.Fail(bt.Pos, "a burst of 0 packets; expected at least 1")
			}
			if !p.acceptWord("packets") {
				p.expected("packets")
			}
		}
	}
	return l
}

func (p *Parser) timeUnit(s string, t Token) uint64 {
	u, ok := limitUnits[s]
	if !ok {
		p.Fail(t.Pos, "found %q; expected second, minute, hour, day or week", s)
	}
	return u
}

// LogLevels are the levels of `log`, those of syslog first (RFC 5424 section 6.2.1).
var LogLevels = []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}

// log parses the options of `log` in any order.
func (p *Parser) log() *ruleset.Log {
	l, flags := &ruleset.Log{Level: "warn", Group: -1}, false
	for {
		t := p.peek()
		switch {
		case t.word("prefix"):
			p.take()
			if p.peek().Kind != TokenString {
				p.expected("a prefix in quotes")
			}
			s := p.take()
			if len(s.Text) > 127 {
				p.Fail(s.Pos, "a prefix of %d bytes; expected at most 127", len(s.Text))
			}
			l.Prefix = s.Text
		case t.word("level"):
			p.take()
			n := p.expectWord("a level")
			known := false
			for _, x := range LogLevels {
				known = known || x == n.Text
			}
			if !known {
				p.Fail(n.Pos, "found the level %q; expected %s", n.Text, OrList(LogLevels))
			}
			l.Level = n.Text
		case t.word("group"):
			p.take()
			l.Group = int(p.number("a group", 16))
		case t.word("snaplen"), t.word("queue-threshold"):
			p.take()
			p.number("a number", 32)
		case t.word("flags"):
			p.take()
			p.logFlags()
			if !flags {
				p.Warn(t.Pos, "flags of log mean nothing here: an event carries addresses and ports, and no more of the headers")
			}
			flags = true
		default:
			return l
		}
	}
}

// logFlags parses `all`, `skuid`, `ether`, `ip options` and `tcp sequence,options`.
func (p *Parser) logFlags() {
	t := p.expectWord("all, skuid, ether, ip options or tcp sequence,options")
	switch t.Text {
	case "all", "skuid", "ether":
	case "ip":
		if !p.acceptWord("options") {
			p.expected("options")
		}
	case "tcp":
		for ok := true; ok; ok = p.accept(",") {
			if !p.acceptWord("sequence") && !p.acceptWord("options") {
				p.expected("sequence or options")
			}
		}
	default:
		p.Fail(t.Pos, "found %q; expected all, skuid, ether, ip options or tcp sequence,options", t.Text)
	}
}

// rejectWith parses `with ...` of a reject, and appends the match on the protocol that it implies.
func (p *Parser) rejectWith(r *ruleset.Rule, ctx *RuleContext) ruleset.RejectWith {
	spec := ruleset.RejectWith{Code4: 3, Code6: 4} // port unreachable
	if !p.acceptWord("with") {
		return spec
	}
	t := p.expectWord("tcp reset, icmp, icmpv6 or icmpx")
	switch t.Text {
	case "tcp":
		if !p.acceptWord("reset") {
			p.expected("reset")
		}
		p.Imply(r, nil, ctx, FieldRef{Field: ruleset.TCPFlags, L4: packet.ProtoTCP, Pos: t.Pos})
		spec.TCPReset = true
	case "icmp":
		p.acceptWord("type")
		p.implyL3(r, ctx, packet.IPv4, t.Pos)
		spec.Code4 = uint8(p.single(ruleset.TypeICMPCode).Lo)
	case "icmpv6":
		p.acceptWord("type")
		p.implyL3(r, ctx, packet.IPv6, t.Pos)
		spec.Code6 = uint8(p.single(ruleset.TypeICMP6Code).Lo)
	case "icmpx":
		p.acceptWord("type")
		n := p.peek()
		codes, ok := ruleset.ICMPXCodes[n.Text]
		if n.Kind != TokenWord || !ok {
			p.expected("port-unreachable, admin-prohibited, no-route or host-unreachable")
		}
		p.take()
		spec.Code4, spec.Code6 = codes[0], codes[1]
	default:
		p.Fail(t.Pos, "found %q; expected tcp reset, icmp, icmpv6 or icmpx", t.Text)
	}
	return spec
}
