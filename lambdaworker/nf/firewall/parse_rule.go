package firewall

import (
	"github.com/granule-nf/granule/ingress/packet"
)

// rule parses a rule of chain c and appends it, whole or up to a construct that is not of the subset: whether that matters
// is known when the chains that packets pass are.
func (p *parser) rule(c *chain) {
	r := &rule{pos: p.peek().pos}
	c.rules = append(c.rules, r)
	p.remarks = &r.remarks
	defer func() { p.remarks = nil }()
	ctx := ruleContext{l4: -1}
	switch c.table.family {
	case familyIP:
		ctx.l3 = packet.IPv4
		r.ops = append(r.ops, equals(metaNFProto, 2, r.pos))
	case familyIP6:
		ctx.l3 = packet.IPv6
		r.ops = append(r.ops, equals(metaNFProto, 10, r.pos))
	}
	decided, mapped, told := false, false, false
	for {
		t := p.peek()
		if t.kind == tokBreak || t.kind == tokEOF || t.is("}") {
			break
		}
		if t.word("comment") {
			p.take()
			r.comment = p.comment()
			break
		}
		if decided {
			p.fail(t.pos, "found %s behind a verdict, where it has no effect; expected the end of the rule", t.found())
		}
		if mapped && !told {
			told = true
			p.warn(t.pos, "what stands behind vmap is done only where its element says continue: others decide, and a packet that none holds leaves the rule")
		}
		if startsMatch(t) {
			p.match(r, c, &ctx)
			mapped = mapped || r.ops[len(r.ops)-1].kind == opMap
			continue
		}
		decided = p.action(r, &ctx)
	}
	if len(r.ops) == 0 {
		p.expected("a rule")
	}
	p.end("the rule")
}

// action parses a statement that is no match and reports whether it decides.
func (p *parser) action(r *rule, ctx *ruleContext) bool {
	t := p.peek()
	o := op{pos: t.pos}
	switch t.text {
	case "counter":
		p.take()
		o.kind = opCounter
		if p.acceptWord("name") {
			p.useCounter(r, o)
			return false
		}
		o.counter = p.counterStart()
	case "limit":
		p.take()
		o.kind = opLimit
		if p.acceptWord("name") {
			p.useLimit(r, o)
			return false
		}
		o.limit = p.limit()
	case "log":
		p.take()
		o.kind = opLog
		o.log = p.log()
	case "reject":
		p.take()
		o.kind = opReject
		o.reject = p.rejectWith(r, ctx)
		r.ops = append(r.ops, o)
		return true
	case "accept", "drop", "return", "jump", "goto", "continue":
		o.kind = opVerdict
		o.verdict = p.verdict()
		r.ops = append(r.ops, o)
		return true
	default:
		p.beyondSubset(t)
		p.expected("a match (ip, ip6, tcp, udp, th, icmp, icmpv6, meta, ct, vlan, iifname, oifname, exthdr), counter, limit, log or a verdict")
	}
	r.ops = append(r.ops, o)
	return false
}

// verdict parses accept, drop, continue, return, jump and goto.
func (p *parser) verdict() verdict {
	t := p.expectWord("accept, drop, return, continue, jump or goto")
	v := verdict{pos: t.pos}
	switch t.text {
	case "accept":
		v.kind = accept
	case "drop":
		v.kind = drop
	case "continue":
		v.kind = goOn
	case "return":
		v.kind = returnFrom
	case "jump", "goto":
		v.kind = jump
		if t.text == "goto" {
			v.kind = gotoChain
		}
		n := p.expectWord("a chain's name")
		v.target, v.pos = n.text, n.pos
	default:
		p.fail(t.pos, "found %q; expected accept, drop, return, continue, jump or goto", t.text)
	}
	return v
}

func (p *parser) counterStart() counterStart {
	var c counterStart
	if p.acceptWord("packets") {
		c.packets = p.number("a number of packets", 64)
		if !p.acceptWord("bytes") {
			p.expected("bytes")
		}
		c.bytes = p.number("a number of bytes", 64)
	}
	return c
}
