package nft

import (
	"cmp"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf"
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
	if p.acceptWord("device") {
		p.interfaceToken()
	} else if p.acceptWord("devices") {
		p.expect("=")
		p.expect("{")
		for p.interfaceToken(); p.accept(","); {
			p.interfaceToken()
		}
		p.expect("}")
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
	default:
		p.Fail(h.Pos, "no hook of table %s is named %q; expected forward", c.Table.Family, h.Name)
	}
}

// interfaceToken takes the name of a device that a chain hangs at.
func (p *Parser) interfaceToken() {
	if t := p.peek(); t.Kind != TokenWord && t.Kind != TokenString {
		p.expected("a device's name")
	}
	p.take()
}

// otherHook decides on the chains of a router that forwarded packets pass before and behind the forward hook. What changes
// neither what that hook sees nor whether a packet gets on can be left out: chains without rules, rules that only count, log or set what nothing
// compares, and translations of sources, since those are done behind the hook and undone before it.
func (p *Parser) otherHook(c *ruleset.Chain) {
	h := c.Hook
	switch h.Name {
	case "prerouting", "postrouting", "ingress", "egress":
	default:
		return
	}
	if len(c.Rules) == 0 && c.Policy == ruleset.Accept {
		if h.Type != "nat" {
			p.Warn(h.Pos, "chain %s hooks %s and has no rules: it changes nothing and is skipped", c.Name, h.Name)
		}
		return
	}
	if c.Policy != ruleset.Accept {
		p.Problem(h.Pos, "chain %s hooks %s and drops by policy; expected forward, the one hook that is modelled", c.Name, h.Name)
		return
	}
	before := len(p.Problems)
	for x := range ruleset.Reached([]*ruleset.Chain{c}) {
		for _, r := range x.Rules {
			p.harmless(r, h)
		}
	}
	switch {
	case len(p.Problems) > before:
		sortProblems(p.Problems[before:])
	case h.Type == "nat":
		p.Warn(h.Pos, "chain %s of type nat is skipped: the forward hook sees the same packets without it, but no address is translated here; put `nat` behind this firewall for that", c.Name)
	default:
		p.Warn(h.Pos, "chain %s hooks %s and is skipped: the forward hook sees the same packets without it; its rules count and log nothing", c.Name, h.Name)
	}
}

// sortProblems puts problems that were found in no order into that of the file.
func sortProblems(ps nf.Problems) {
	slices.SortStableFunc(ps, func(a, b nf.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
}

// harmless refuses a rule of a chain before or behind the forward hook that makes a difference.
func (p *Parser) harmless(r *ruleset.Rule, h ruleset.Hook) {
	for _, m := range r.Diagnostics {
		if !m.SourceNAT && m.Reached == ruleset.Refuse && m.Unreached != ruleset.Silent {
			p.Problem(m.Pos, "%s", m.Message)
		}
	}
	for _, o := range r.Ops {
		switch {
		case o.Kind == ruleset.OpReject || o.Kind == ruleset.OpVerdict && o.Verdict.Kind == ruleset.Drop:
			p.Problem(o.Pos, "this rule drops packets in a chain that hooks %s, which is not modelled; expected it in a chain that hooks forward", h.Name)
		case o.Kind == ruleset.OpMap:
			for _, e := range o.Elements {
				if e.Verdict.Kind == ruleset.Drop {
					p.Problem(e.Pos, "this element drops packets in a chain that hooks %s, which is not modelled; expected it in a chain that hooks forward", h.Name)
				}
			}
		case o.Kind == ruleset.OpSet && p.marksCompared && (h.Name == "prerouting" || h.Name == "ingress"):
			p.Problem(o.Pos, "this rule sets a mark in a chain that hooks %s, which is not modelled, and rules compare marks; expected it in a chain that hooks forward", h.Name)
		}
	}
}
