package firewall

import (
	"slices"

	"github.com/granule-nf/granule/ingress/packet"
)

// rule parses a rule of chain c.
func (p *parser) rule(c *chain) *rule {
	r := &rule{pos: p.peek().pos}
	ctx := ruleContext{l4: -1}
	switch c.table.family {
	case familyIP:
		ctx.l3 = packet.IPv4
		r.ops = append(r.ops, equals(metaNFProto, 2, r.pos))
	case familyIP6:
		ctx.l3 = packet.IPv6
		r.ops = append(r.ops, equals(metaNFProto, 10, r.pos))
	}
	decided := false
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
		if startsMatch(t) {
			p.match(r, c, &ctx)
			if last := r.ops[len(r.ops)-1]; last.kind == opMap {
				decided = true
			}
			continue
		}
		decided = p.action(r, &ctx)
	}
	if len(r.ops) == 0 {
		p.expected("a rule")
	}
	p.end("the rule")
	return r
}

// action parses a statement that is no match and reports whether it decides.
func (p *parser) action(r *rule, ctx *ruleContext) bool {
	t := p.peek()
	o := op{pos: t.pos}
	switch t.text {
	case "counter":
		p.take()
		o.kind = opCounter
		o.counter = p.counterStart()
	case "limit":
		p.take()
		o.kind = opLimit
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
		if slices.Contains(unsupported, t.text) && t.kind == tokWord {
			p.fail(t.pos, "%q is nftables, but not of the subset that runs here; see the table in README.md", t.text)
		}
		p.expected("a match (ip, ip6, tcp, udp, th, icmp, icmpv6, meta, ct, vlan, iifname, oifname, exthdr), counter, limit, log or a verdict")
	}
	r.ops = append(r.ops, o)
	return false
}

// unsupported starts statements and matches that nft knows and this subset leaves out.
var unsupported = []string{
	"queue", "notrack", "dup", "fwd", "masquerade", "snat", "dnat", "redirect", "tproxy", "set", "add", "update", "delete", "synproxy", "quota", "fib",
	"socket", "rt", "osf", "numgen", "jhash", "symhash", "xfrm", "ipsec", "arp", "ether", "esp", "ah", "comp", "igmp", "hbh", "frag", "dst", "mh", "srh", "rt0",
	"iif", "oif", "iiftype", "oiftype", "iifgroup", "oifgroup", "mark", "skuid", "skgid", "pkttype", "cpu", "cgroup", "time", "day", "hour", "length", "protocol", "flow", "meter", "connlimit", "secmark", "tunnel", "gre", "vxlan",
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
	if p.peek().word("name") {
		p.fail(p.peek().pos, "named counters are not supported; expected a counter of the rule's own")
	}
	if p.acceptWord("packets") {
		c.packets = p.number("a number of packets", 64)
		if !p.acceptWord("bytes") {
			p.expected("bytes")
		}
		c.bytes = p.number("a number of bytes", 64)
	}
	return c
}
