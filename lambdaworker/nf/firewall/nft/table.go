package nft

import (
	"strconv"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// topLevel parses one statement outside of tables.
func (p *Parser) topLevel() {
	if p.common() {
		return
	}
	t := p.peek()
	switch {
	case t.word("table"):
		p.tableBlock()
	case t.word("add"), t.word("create"), t.word("insert"):
		p.add()
	case t.word("flush"), t.word("delete"), t.word("destroy"):
		p.clear()
	default:
		p.expected("table, add, insert, include, define, flush or delete")
	}
}

func (p *Parser) family() ruleset.Family {
	t := p.peek()
	for i, n := range ruleset.FamilyNames {
		if t.word(n) {
			p.take()
			return ruleset.Family(i)
		}
	}
	return ruleset.FamilyIP // nft's default
}

// TableOf returns the table of that name, made if it was not there.
func (p *Parser) TableOf(f ruleset.Family, name string) *ruleset.Table {
	for _, t := range p.Ruleset.Tables {
		if t.Family == f && t.Name == name {
			return t
		}
	}
	t := &ruleset.Table{Family: f, Name: name, Sets: map[string]*ruleset.Set{}, Limits: map[string]*ruleset.Limit{}, ByName: map[string]*ruleset.Chain{}}
	p.Ruleset.Tables = append(p.Ruleset.Tables, t)
	return t
}

func (p *Parser) tableBlock() {
	p.take()
	p.tableNamed()
}

// tableNamed parses what follows `table`.
func (p *Parser) tableNamed() {
	if p.otherFamily() {
		return
	}
	f := p.family()
	name := p.expectWord("a table's name")
	t := p.TableOf(f, name.Text)
	if !p.accept("{") {
		p.end("the table's name")
		return
	}
	p.Table = t
	p.block("table "+t.Name, p.inTable)
	p.end("the table")
}

// block parses statements up to the closing brace.
func (p *Parser) block(what string, f func()) {
	for {
		switch t := p.peek(); {
		case t.Kind == tokEOF:
			p.expected(`"}" at the end of %s`, what)
		case t.is("}"):
			p.take()
			return
		}
		p.statement(f)
	}
}

func (p *Parser) inTable() {
	if p.common() {
		return
	}
	switch t := p.peek(); {
	case t.word("chain"):
		p.take()
		p.chainBlock(p.chainOf(p.Table))
	case t.word("set"), t.word("map"):
		p.take()
		p.setBlock(t.Text == "map")
	case t.word("comment"):
		p.take()
		p.comment()
		p.end("the comment")
	case t.word("flags"):
		p.Fail(t.Pos, "flags of a table (dormant, owner) are not supported; expected chain, set or map")
	case t.word("counter"):
		p.take()
		p.counterBlock()
	case t.word("limit"):
		p.take()
		p.limitBlock()
	case t.word("quota"), t.word("ct"), t.word("flowtable"), t.word("synproxy"), t.word("secmark"), t.word("tunnel"):
		p.skipObject()
	default:
		p.expected("chain, set, map, counter or limit")
	}
}

func (p *Parser) comment() string {
	if p.peek().Kind != TokenString {
		p.expected("a comment in quotes")
	}
	return p.take().Text
}

// chainOf takes a chain's name and returns that chain of t, made if it was not there.
func (p *Parser) chainOf(t *ruleset.Table) *ruleset.Chain {
	name := p.expectWord("a chain's name")
	c := t.ByName[name.Text]
	if c == nil {
		c = &ruleset.Chain{Name: name.Text, Pos: name.Pos, Table: t}
		t.ByName[c.Name] = c
		t.Chains = append(t.Chains, c)
	}
	return c
}

func (p *Parser) chainBlock(c *ruleset.Chain) {
	if !p.accept("{") {
		p.end("the chain's name")
		return
	}
	p.block("chain "+c.Name, func() { p.inChain(c) })
	p.end("the chain")
}

func (p *Parser) inChain(c *ruleset.Chain) {
	if p.common() {
		return
	}
	switch t := p.peek(); {
	case t.word("type"):
		p.hook(c)
	case t.word("policy"):
		p.policy(c)
	case t.word("comment"):
		p.take()
		p.comment()
		p.end("the comment")
	case t.word("device"), t.word("devices"), t.word("flags"):
		p.Fail(t.Pos, "%s of a chain is not supported; expected type, policy or a rule", t.Text)
	default:
		p.rule(c)
	}
}

func (p *Parser) priority() int {
	n, named := 0, false
	t := p.peek()
	if t.Kind == TokenWord {
		v, ok := ruleset.PriorityNames[t.Text]
		if !ok {
			p.expected("a priority: a number or raw, mangle, filter, security, dstnat, srcnat")
		}
		p.take()
		n, named = v, true
	}
	sign := 1
	if p.accept("-") {
		sign = -1
	} else if !p.accept("+") && named {
		return n
	}
	v := p.peek()
	k, err := strconv.ParseInt(v.Text, 10, 32)
	if v.Kind != tokNumber || err != nil {
		p.expected("a priority: a number or raw, mangle, filter, security, dstnat, srcnat")
	}
	p.take()
	return n + sign*int(k)
}

func (p *Parser) policy(c *ruleset.Chain) {
	at := p.take()
	t := p.expectWord("accept or drop")
	switch t.Text {
	case "accept":
		c.Policy = ruleset.Accept
	case "drop":
		c.Policy = ruleset.Drop
	default:
		p.Fail(t.Pos, "found the policy %q; expected accept or drop", t.Text)
	}
	if !c.Base {
		p.Fail(at.Pos, "chain %s has a policy but no hook; expected `type filter hook forward priority 0;` before it", c.Name)
	}
	p.end("the policy")
}
