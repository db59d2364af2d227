package firewall

import "github.com/granule-nf/granule/ingress/packet"

var limitUnits = map[string]uint64{"second": 1e9, "minute": 60e9, "hour": 3600e9, "day": 86400e9, "week": 7 * 86400e9}

var byteUnits = map[string]uint64{"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20}

// burstDefault is what nft takes where no burst is given.
const burstDefault = 5

// limit parses `rate [over] 10/second [burst 5 packets]` and `rate 10 mbytes/second [burst 1 mbytes]`.
func (p *parser) limit() *limitSpec {
	if !p.acceptWord("rate") {
		p.expected("rate")
	}
	l := &limitSpec{}
	l.over = p.acceptWord("over")
	if !l.over {
		p.acceptWord("until")
	}
	rt := p.peek()
	l.rate = p.number("a rate such as 10/second or 5 mbytes/second", 40)
	if t := p.peek(); t.kind == tokWord {
		// The lexer takes `mbytes/second` for one word, as nft's does for names with slashes.
		unit, per, ok := cutSlash(t.text)
		k, known := byteUnits[unit]
		if !known {
			p.expected(`"/" and a unit of time, or bytes, kbytes, mbytes`)
		}
		p.take()
		l.bytes = true
		l.rate *= k
		if ok {
			l.period = p.timeUnit(per, t)
		}
	}
	if l.rate == 0 {
		p.fail(rt.pos, "a rate of 0; expected at least 1")
	}
	if l.period == 0 {
		p.expect("/")
		t := p.expectWord("second, minute, hour, day or week")
		l.period = p.timeUnit(t.text, t)
	}
	if !l.bytes {
		l.burst = burstDefault
	}
	if p.acceptWord("burst") {
		bt := p.peek()
		l.burst = p.number("a burst", 32)
		if l.bytes {
			t := p.expectWord("bytes, kbytes or mbytes")
			k, ok := byteUnits[t.text]
			if !ok {
				p.fail(t.pos, "found %q; expected bytes, kbytes or mbytes", t.text)
			}
			l.burst *= k
		} else {
			if l.burst == 0 {
				p.fail(bt.pos, "a burst of 0 packets; expected at least 1")
			}
			if !p.acceptWord("packets") {
				p.expected("packets")
			}
		}
	}
	return l
}

func cutSlash(s string) (before, after string, ok bool) {
	for i := range s {
		if s[i] == '/' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func (p *parser) timeUnit(s string, t token) uint64 {
	u, ok := limitUnits[s]
	if !ok {
		p.fail(t.pos, "found %q; expected second, minute, hour, day or week", s)
	}
	return u
}

var logLevels = []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}

// log parses the options of `log` in any order.
func (p *parser) log() *logSpec {
	l, flags := &logSpec{level: "warn", group: -1}, false
	for {
		t := p.peek()
		switch {
		case t.word("prefix"):
			p.take()
			if p.peek().kind != tokString {
				p.expected("a prefix in quotes")
			}
			s := p.take()
			if len(s.text) > 127 {
				p.fail(s.pos, "a prefix of %d bytes; expected at most 127", len(s.text))
			}
			l.prefix = s.text
		case t.word("level"):
			p.take()
			n := p.expectWord("a level")
			known := false
			for _, x := range logLevels {
				known = known || x == n.text
			}
			if !known {
				p.fail(n.pos, "found the level %q; expected %s", n.text, orList(logLevels))
			}
			l.level = n.text
		case t.word("group"):
			p.take()
			l.group = int(p.number("a group", 16))
		case t.word("snaplen"), t.word("queue-threshold"):
			p.take()
			p.number("a number", 32)
		case t.word("flags"):
			p.take()
			p.logFlags()
			if !flags {
				p.warn(t.pos, "flags of log mean nothing here: an event carries addresses and ports, and no more of the headers")
			}
			flags = true
		default:
			return l
		}
	}
}

// logFlags parses `all`, `skuid`, `ether`, `ip options` and `tcp sequence,options`.
func (p *parser) logFlags() {
	t := p.expectWord("all, skuid, ether, ip options or tcp sequence,options")
	switch t.text {
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
		p.fail(t.pos, "found %q; expected all, skuid, ether, ip options or tcp sequence,options", t.text)
	}
}

// rejectWith parses `with ...` of a reject, and appends the match on the protocol that it implies.
func (p *parser) rejectWith(r *rule, ctx *ruleContext) rejectSpec {
	spec := rejectSpec{code4: 3, code6: 4} // port unreachable
	if !p.acceptWord("with") {
		return spec
	}
	t := p.expectWord("tcp reset, icmp, icmpv6 or icmpx")
	switch t.text {
	case "tcp":
		if !p.acceptWord("reset") {
			p.expected("reset")
		}
		p.imply(r, nil, ctx, fieldRef{field: tcpFlags, l4: packet.ProtoTCP, pos: t.pos})
		spec.reset = true
	case "icmp":
		p.acceptWord("type")
		p.implyL3(r, ctx, packet.IPv4, t.pos)
		spec.code4 = uint8(p.single(codeOfICMP).lo)
	case "icmpv6":
		p.acceptWord("type")
		p.implyL3(r, ctx, packet.IPv6, t.pos)
		spec.code6 = uint8(p.single(codeOfICMP6).lo)
	case "icmpx":
		p.acceptWord("type")
		n := p.peek()
		codes, ok := icmpxCodes[n.text]
		if n.kind != tokWord || !ok {
			p.expected("port-unreachable, admin-prohibited, no-route or host-unreachable")
		}
		p.take()
		spec.code4, spec.code6 = codes[0], codes[1]
	default:
		p.fail(t.pos, "found %q; expected tcp reset, icmp, icmpv6 or icmpx", t.text)
	}
	return spec
}
