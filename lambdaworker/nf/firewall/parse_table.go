package firewall

import "strconv"

// topLevel parses one statement outside of tables.
func (p *parser) topLevel() {
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
func (p *parser) clear() {
	verb := p.take()
	switch {
	case verb.text == "flush" && p.acceptWord("ruleset"):
		p.set.tables = nil
	case p.acceptWord("table"):
		f := p.family()
		name := p.expectWord("a table's name")
		for i, t := range p.set.tables {
			if t.family == f && t.name == name.text {
				if verb.text == "flush" {
					for _, c := range t.chains {
						c.rules = nil
					}
				} else {
					p.set.tables = append(p.set.tables[:i:i], p.set.tables[i+1:]...)
				}
				break
			}
		}
	default:
		p.expected("table%s", map[bool]string{true: " or ruleset"}[verb.text == "flush"])
	}
	p.end("the table")
}

func (p *parser) family() family {
	t := p.peek()
	for i, n := range familyNames {
		if t.word(n) {
			p.take()
			return family(i)
		}
	}
	switch t.text {
	case "arp", "bridge", "netdev":
		p.fail(t.pos, "tables of family %s see no forwarded IP packets; expected inet, ip or ip6", t.text)
	}
	return familyIP // nft's default
}

// tableOf returns the table of that name, made if it was not there.
func (p *parser) tableOf(f family, name string) *table {
	for _, t := range p.set.tables {
		if t.family == f && t.name == name {
			return t
		}
	}
	t := &table{family: f, name: name, sets: map[string]*set{}, limits: map[string]*limitSpec{}, byName: map[string]*chain{}}
	p.set.tables = append(p.set.tables, t)
	return t
}

func (p *parser) tableBlock() {
	p.take()
	p.tableNamed()
}

// tableNamed parses what follows `table`.
func (p *parser) tableNamed() {
	f := p.family()
	name := p.expectWord("a table's name")
	t := p.tableOf(f, name.text)
	if !p.accept("{") {
		p.end("the table's name")
		return
	}
	p.table = t
	p.block("table "+t.name, p.inTable)
	p.end("the table")
}

// block parses statements up to the closing brace.
func (p *parser) block(what string, f func()) {
	for {
		switch t := p.peek(); {
		case t.kind == tokEOF:
			p.expected(`"}" at the end of %s`, what)
		case t.is("}"):
			p.take()
			return
		}
		p.statement(f)
	}
}

func (p *parser) inTable() {
	if p.common() {
		return
	}
	switch t := p.peek(); {
	case t.word("chain"):
		p.take()
		p.chainBlock(p.chainOf(p.table))
	case t.word("set"), t.word("map"):
		p.take()
		p.setBlock(t.text == "map")
	case t.word("comment"):
		p.take()
		p.comment()
		p.end("the comment")
	case t.word("flags"):
		p.fail(t.pos, "flags of a table (dormant, owner) are not supported; expected chain, set or map")
	case t.word("counter"):
		p.take()
		p.counterBlock()
	case t.word("limit"):
		p.take()
		p.limitBlock()
	case t.word("quota"), t.word("ct"), t.word("flowtable"), t.word("synproxy"), t.word("secmark"):
		p.fail(t.pos, "named %s objects are nftables, but not of the subset that runs here; expected chain, set, map, counter or limit; "+subset, t.text)
	default:
		p.expected("chain, set, map, counter or limit")
	}
}

func (p *parser) comment() string {
	if p.peek().kind != tokString {
		p.expected("a comment in quotes")
	}
	return p.take().text
}

// chainOf takes a chain's name and returns that chain of t, made if it was not there.
func (p *parser) chainOf(t *table) *chain {
	name := p.expectWord("a chain's name")
	c := t.byName[name.text]
	if c == nil {
		c = &chain{name: name.text, pos: name.pos, table: t}
		t.byName[c.name] = c
		t.chains = append(t.chains, c)
	}
	return c
}

func (p *parser) chainBlock(c *chain) {
	if !p.accept("{") {
		p.end("the chain's name")
		return
	}
	p.block("chain "+c.name, func() { p.inChain(c) })
	p.end("the chain")
}

func (p *parser) inChain(c *chain) {
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
		p.fail(t.pos, "%s of a chain is not supported; expected type, policy or a rule", t.text)
	default:
		p.rule(c)
	}
}

func (p *parser) priority() int {
	n, named := 0, false
	t := p.peek()
	if t.kind == tokWord {
		v, ok := priorityNames[t.text]
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
	k, err := strconv.ParseInt(v.text, 10, 32)
	if v.kind != tokNumber || err != nil {
		p.expected("a priority: a number or raw, mangle, filter, security, dstnat, srcnat")
	}
	p.take()
	return n + sign*int(k)
}

func (p *parser) policy(c *chain) {
	at := p.take()
	t := p.expectWord("accept or drop")
	switch t.text {
	case "accept":
		c.policy = accept
	case "drop":
		c.policy = drop
	default:
		p.fail(t.pos, "found the policy %q; expected accept or drop", t.text)
	}
	if !c.base {
		p.fail(at.pos, "chain %s has a policy but no hook; expected `type filter hook forward priority 0;` before it", c.name)
	}
	p.end("the policy")
}

// add parses the one-line commands: add table, add chain, add rule, add set, add map, add element.
func (p *parser) add() {
	p.take()
	what := p.expectWord("table, chain, set, map, counter, limit, rule or element")
	if what.text == "table" {
		p.tableNamed()
		return
	}
	switch what.text {
	case "chain", "set", "map", "counter", "limit", "rule", "element":
	default:
		p.fail(what.pos, "found add %q; expected table, chain, set, map, counter, limit, rule or element", what.text)
	}
	f := p.family()
	name := p.expectWord("a table's name")
	var t *table
	for _, x := range p.set.tables {
		if x.family == f && x.name == name.text {
			t = x
		}
	}
	if t == nil {
		p.fail(name.pos, "no table %s %s is declared above; expected one that is", f, name.text)
	}
	p.table = t
	switch what.text {
	case "chain":
		p.chainBlock(p.chainOf(t))
	case "set", "map":
		p.setBlock(what.text == "map")
	case "counter":
		p.counterBlock()
	case "limit":
		p.limitBlock()
	case "rule":
		c := p.expectWord("a chain's name")
		ch := t.byName[c.text]
		if ch == nil {
			p.fail(c.pos, "no chain of table %s is named %q; expected one that is declared above", t.name, c.text)
		}
		p.rule(ch)
	case "element":
		c := p.expectWord("a set's name")
		s := t.sets[c.text]
		if s == nil {
			p.fail(c.pos, "no set of table %s is named %q; expected one that is declared above", t.name, c.text)
		}
		p.setElements(s)
		p.end("the elements")
	}
}
