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
	case t.word("add") || t.word("create"):
		p.add()
	case t.word("flush"), t.word("delete"), t.word("destroy"):
		p.clear()
	default:
		p.expected("table, include, define, flush or delete")
	}
}

// clear parses `flush ruleset`, `flush table ...` and `delete table ...`: rule files start with them, and here every
// load starts from nothing. What was declared above is forgotten.
func (p *Parser) clear() {
	verb := p.take()
	switch {
	case verb.Text == "flush" && p.acceptWord("ruleset"):
		p.Ruleset.Tables = nil
	case p.acceptWord("table"):
		f := p.family()
		name := p.expectWord("a table's name")
		for i, t := range p.Ruleset.Tables {
			if t.Family == f && t.Name == name.Text {
				if verb.Text == "flush" {
					for _, c := range t.Chains {
						c.Rules = nil
					}
				} else {
					p.Ruleset.Tables = append(p.Ruleset.Tables[:i:i], p.Ruleset.Tables[i+1:]...)
				}
				break
			}
		}
	default:
		p.expected("table%s", map[bool]string{true: " or ruleset"}[verb.Text == "flush"])
	}
	p.end("the table")
}

func (p *Parser) family() ruleset.Family {
	t := p.peek()
	for i, n := range ruleset.FamilyNames {
		if t.word(n) {
			p.take()
			return ruleset.Family(i)
		}
	}
	switch t.Text {
	case "arp", "bridge", "netdev":
		p.Fail(t.Pos, "tables of family %s see no forwarded IP packets; expected inet, ip or ip6", t.Text)
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
	case t.word("quota"), t.word("ct"), t.word("flowtable"), t.word("synproxy"), t.word("secmark"):
		p.Fail(t.Pos, "named %s objects are nftables, but not of the subset that runs here; expected chain, set, map, counter or limit; "+Subset, t.Text)
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

// add parses the one-line commands: add table, add chain, add rule, add set, add map, add element.
func (p *Parser) add() {
	p.take()
	what := p.expectWord("table, chain, set, map, counter, limit, rule or element")
	if what.Text == "table" {
		p.tableNamed()
		return
	}
	switch what.Text {
	case "chain", "set", "map", "counter", "limit", "rule", "element":
	default:
		p.Fail(what.Pos, "found add %q; expected table, chain, set, map, counter, limit, rule or element", what.Text)
	}
	f := p.family()
	name := p.expectWord("a table's name")
	var t *ruleset.Table
	for _, x := range p.Ruleset.Tables {
		if x.Family == f && x.Name == name.Text {
			t = x
		}
	}
	if t == nil {
		p.Fail(name.Pos, "no table %s %s is declared above; expected one that is", f, name.Text)
	}
	p.Table = t
	switch what.Text {
	case "chain":
		p.chainBlock(p.chainOf(t))
	case "set", "map":
		p.setBlock(what.Text == "map")
	case "counter":
		p.counterBlock()
	case "limit":
		p.limitBlock()
	case "rule":
		c := p.expectWord("a chain's name")
		ch := t.ByName[c.Text]
		if ch == nil {
			p.Fail(c.Pos, "no chain of table %s is named %q; expected one that is declared above", t.Name, c.Text)
		}
		p.rule(ch)
	case "element":
		c := p.expectWord("a set's name")
		s := t.Sets[c.Text]
		if s == nil {
			p.Fail(c.Pos, "no set of table %s is named %q; expected one that is declared above", t.Name, c.Text)
		}
		p.setElements(s)
		p.end("the elements")
	}
}
