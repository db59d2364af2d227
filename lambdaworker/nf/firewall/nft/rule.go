package nft

import (
	"slices"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// rule parses a rule of chain c and appends it, whole or up to a construct that is not of the subset: whether that matters
// is known when the chains that packets pass are.
func (p *Parser) rule(c *ruleset.Chain) {
	r := &ruleset.Rule{Pos: p.peek().Pos}
	c.Rules = append(c.Rules, r)
	p.Diagnostics = &r.Diagnostics
	defer func() { p.Diagnostics = nil }()
	ctx := RuleContext{L4: -1}
	switch c.Table.Family {
	case ruleset.FamilyIP:
		ctx.L3 = packet.IPv4
		r.Ops = append(r.Ops, ruleset.Equals(ruleset.MetaNFProto, 2, r.Pos))
	case ruleset.FamilyIP6:
		ctx.L3 = packet.IPv6
		r.Ops = append(r.Ops, ruleset.Equals(ruleset.MetaNFProto, 10, r.Pos))
	}
	decided, mapped, warned, some := false, false, false, false
	for {
		t := p.peek()
		if t.Kind == tokBreak || t.Kind == tokEOF || t.is("}") {
			break
		}
		if t.word("comment") {
			p.take()
			r.Comment = p.comment()
			break
		}
		if decided {
			p.Fail(t.Pos, "found %s behind a verdict, where it has no effect; expected the end of the rule", t.Found())
		}
		if mapped && !warned {
			warned = true
			p.Warn(t.Pos, "what stands behind vmap is done only where its element says continue: others decide, and a packet that none holds leaves the rule")
		}
		if p.leaves(t) {
			some = true
			continue
		}
		if startsMatch(t) {
			p.match(r, c, &ctx)
			some = true
			mapped = mapped || len(r.Ops) > 0 && r.Ops[len(r.Ops)-1].Kind == ruleset.OpMap
			continue
		}
		decided = p.action(r, &ctx)
	}
	if len(r.Ops) == 0 && !some {
		p.expected("a rule")
	}
	p.end("the rule")
}

// action parses a statement that is no match and reports whether it decides.
func (p *Parser) action(r *ruleset.Rule, ctx *RuleContext) bool {
	t := p.peek()
	o := ruleset.Op{Pos: t.Pos}
	switch t.Text {
	case "counter":
		p.take()
		o.Kind = ruleset.OpCounter
		if p.acceptWord("name") {
			p.useCounter(r, o)
			return false
		}
		o.Counter = p.counterStart()
	case "limit":
		p.take()
		o.Kind = ruleset.OpLimit
		if p.acceptWord("name") {
			p.useLimit(r, o)
			return false
		}
		o.Limit = p.limit()
	case "log":
		p.take()
		o.Kind = ruleset.OpLog
		o.Log = p.log()
	case "reject":
		p.take()
		o.Kind = ruleset.OpReject
		o.Reject = p.rejectWith(r, ctx)
		r.Ops = append(r.Ops, o)
		return true
	case "accept", "drop", "return", "jump", "goto", "continue":
		o.Kind = ruleset.OpVerdict
		o.Verdict = p.verdict()
		r.Ops = append(r.Ops, o)
		return true
	default:
		p.unsupportedStatement(t)
		p.expected("a match (ip, ip6, tcp, udp, th, icmp, icmpv6, meta, ct, vlan, iifname, oifname, exthdr), counter, limit, log or a verdict")
	}
	r.Ops = append(r.Ops, o)
	return false
}

// verdict parses accept, drop, continue, return, jump and goto.
func (p *Parser) verdict() ruleset.Verdict {
	t := p.expectWord("accept, drop, return, continue, jump or goto")
	v := ruleset.Verdict{Pos: t.Pos}
	switch t.Text {
	case "accept":
		v.Kind = ruleset.Accept
	case "drop":
		v.Kind = ruleset.Drop
	case "continue":
		v.Kind = ruleset.Continue
	case "return":
		v.Kind = ruleset.Return
	case "jump", "goto":
		v.Kind = ruleset.Jump
		if t.Text == "goto" {
			v.Kind = ruleset.Goto
		}
		n := p.expectWord("a chain's name")
		v.Target, v.Pos = n.Text, n.Pos
	default:
		p.Fail(t.Pos, "found %q; expected accept, drop, return, continue, jump or goto", t.Text)
	}
	return v
}

func (p *Parser) counterStart() ruleset.CounterStart {
	var c ruleset.CounterStart
	if p.acceptWord("packets") {
		c.Packets = p.number("a number of packets", 64)
		if !p.acceptWord("bytes") {
			p.expected("bytes")
		}
		c.Bytes = p.number("a number of bytes", 64)
	}
	return c
}

// leaves parses a statement that decides nothing and that no rule of the subset sees, and reports whether it was one: it is left out.
func (p *Parser) leaves(t Token) bool {
	switch {
	case t.word("flow"):
		p.take()
		if !p.acceptWord("add") && !p.acceptWord("offload") {
			p.expected("add")
		}
		p.setName()
		p.leftOut(t.Pos, "flow add is not done: what can be forwarded without rules is found out without it")
	case t.word("meta"), t.word("ct"):
		if n := p.second(); n.Kind != TokenWord || !slices.Contains(assignable[t.Text], n.Text) {
			return false
		}
		p.take()
		return p.assignOther(t)
	default:
		return false
	}
	return true
}
