package firewall

// hook is where a base chain hangs.
type hook struct {
	typ, name string
	typPos    position
	pos       position // of its name
}

// hook parses `type filter hook forward priority 0;`.
func (p *parser) hook(c *chain) {
	at := p.take()
	typ := p.expectWord("filter")
	switch typ.text {
	case "filter", "nat", "route":
	default:
		p.fail(typ.pos, "found a chain of type %s; expected filter", typ.text)
	}
	if c.base {
		p.fail(at.pos, "chain %s has its hook already; expected rules", c.name)
	}
	c.base, c.policy = true, accept // whatever is wrong with it, its policy is no second mistake
	if !p.acceptWord("hook") {
		p.expected("hook")
	}
	name := p.expectWord("forward")
	c.hook = hook{typ.text, name.text, typ.pos, name.pos}
	p.hookKnown(c, typ)
	if p.peek().word("device") {
		p.fail(p.peek().pos, "device of a chain is not supported; expected priority")
	}
	if !p.acceptWord("priority") {
		p.expected("priority")
	}
	c.priority = p.priority()
	p.end("the priority")
}

func (p *parser) hookKnown(c *chain, typ token) {
	h := &c.hook
	switch h.name {
	case "forward":
		if h.typ != "filter" {
			p.fail(typ.pos, "chains of type %s have no hook forward; expected type filter", h.typ)
		}
		c.forward = true
	case "input", "output":
		p.warn(h.pos, "chain %s hooks %s, which sees no packet here: packets from port to port are forwarded; its rules count nothing", c.name, h.name)
	case "prerouting", "postrouting":
		if h.typ == "route" {
			p.fail(typ.pos, "chains of type route have no hook %s; expected type filter", h.name)
		}
	case "ingress", "egress":
		p.fail(h.pos, "chain %s hooks %s; expected forward, the one hook that is modelled", c.name, h.name)
	default:
		p.fail(h.pos, "no hook of table %s is named %q; expected forward", c.table.family, h.name)
	}
}

// elsewhere decides on the chains of a router that forwarded packets pass before and behind the forward hook. What changes
// neither what that hook sees nor whether a packet gets on can be left out: chains without rules, and chains of type
// nat that translate sources, since that is done behind the hook and undone before it.
func (p *parser) elsewhere(c *chain) {
	h := c.hook
	if h.name != "prerouting" && h.name != "postrouting" {
		return
	}
	if h.typ == "nat" && len(c.rules) == 0 && c.policy == accept {
		return
	}
	if h.typ != "nat" || c.policy != accept {
		p.problem(h.pos, "chain %s hooks %s; expected forward, the one hook that is modelled", c.name, h.name)
		return
	}
	before := len(p.problems)
	for x := range reached([]*chain{c}) {
		for _, r := range x.rules {
			p.natRule(r)
		}
	}
	if len(p.problems) == before {
		p.warn(h.pos, "chain %s of type nat is skipped: the forward hook sees the same packets without it, but no address is translated here; put `nat` behind this firewall for that", c.name)
	}
}

func (p *parser) natRule(r *rule) {
	for _, m := range r.remarks {
		if !m.source && m.running == refused && m.idle != silent {
			p.problem(m.at, "%s", m.text)
		}
	}
	for _, o := range r.ops {
		if o.kind == opReject || o.kind == opVerdict && o.verdict.kind == drop {
			p.problem(o.pos, "this rule drops packets in a chain of type nat, which is not modelled; expected it in a chain that hooks forward")
		}
	}
}
