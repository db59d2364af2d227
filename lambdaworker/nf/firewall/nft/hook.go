package nft

import (
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// hook parses `type filter hook forward priority 0;`.
func (p *Parser) hook(c *ruleset.Chain) {
	at := p.take()
	typ := p.expectWord("filter")
	switch typ.Text {
	case "filter", "nat", "route":
	default:
		p.Fail(typ.Pos, "found a chain of type %s; expected filter", typ.Text)
	}
	if c.Base {
		p.Fail(at.Pos, "chain %s has its hook already; expected rules", c.Name)
	}
	c.Base, c.Policy = true, ruleset.Accept // whatever is wrong with it, its policy is no second mistake
	if !p.acceptWord("hook") {
		p.expected("hook")
	}
	name := p.expectWord("forward")
	c.Hook = ruleset.Hook{Type: typ.Text, Name: name.Text, TypePos: typ.Pos, Pos: name.Pos}
	p.hookKnown(c, typ)
	if p.peek().word("device") {
		p.Fail(p.peek().Pos, "device of a chain is not supported; expected priority")
	}
	if !p.acceptWord("priority") {
		p.expected("priority")
	}
	c.Priority = p.priority()
	p.end("the priority")
}

func (p *Parser) hookKnown(c *ruleset.Chain, typ Token) {
	h := &c.Hook
	switch h.Name {
	case "forward":
		if h.Type != "filter" {
			p.Fail(typ.Pos, "chains of type %s have no hook forward; expected type filter", h.Type)
		}
		c.Forward = true
	case "input", "output":
		p.Warn(h.Pos, "chain %s hooks %s, which sees no packet here: packets from port to port are forwarded; its rules count nothing", c.Name, h.Name)
	case "prerouting", "postrouting":
		if h.Type == "route" {
			p.Fail(typ.Pos, "chains of type route have no hook %s; expected type filter", h.Name)
		}
	case "ingress", "egress":
		p.Fail(h.Pos, "chain %s hooks %s; expected forward, the one hook that is modelled", c.Name, h.Name)
	default:
		p.Fail(h.Pos, "no hook of table %s is named %q; expected forward", c.Table.Family, h.Name)
	}
}

// otherHook decides on the chains of a router that forwarded packets pass before and behind the forward hook. What changes
// neither what that hook sees nor whether a packet gets on can be left out: chains without rules, and chains of type
// nat that translate sources, since that is done behind the hook and undone before it.
func (p *Parser) otherHook(c *ruleset.Chain) {
	h := c.Hook
	if h.Name != "prerouting" && h.Name != "postrouting" {
		return
	}
	if h.Type == "nat" && len(c.Rules) == 0 && c.Policy == ruleset.Accept {
		return
	}
	if h.Type != "nat" || c.Policy != ruleset.Accept {
		p.Problem(h.Pos, "chain %s hooks %s; expected forward, the one hook that is modelled", c.Name, h.Name)
		return
	}
	before := len(p.Problems)
	for x := range ruleset.Reached([]*ruleset.Chain{c}) {
		for _, r := range x.Rules {
			p.natRule(r)
		}
	}
	if len(p.Problems) == before {
		p.Warn(h.Pos, "chain %s of type nat is skipped: the forward hook sees the same packets without it, but no address is translated here; put `nat` behind this firewall for that", c.Name)
	}
}

func (p *Parser) natRule(r *ruleset.Rule) {
	for _, m := range r.Diagnostics {
		if !m.SourceNAT && m.Reached == ruleset.Refuse && m.Unreached != ruleset.Silent {
			p.Problem(m.Pos, "%s", m.Message)
		}
	}
	for _, o := range r.Ops {
		if o.Kind == ruleset.OpReject || o.Kind == ruleset.OpVerdict && o.Verdict.Kind == ruleset.Drop {
			p.Problem(o.Pos, "this rule drops packets in a chain of type nat, which is not modelled; expected it in a chain that hooks forward")
		}
	}
}
