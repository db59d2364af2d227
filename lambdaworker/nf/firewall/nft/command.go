package nft

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Rule files are read into nothing, as `nft -f` reads them into a kernel without rules: commands that take away what stands above in the same file are
// obeyed, and what was never there is not missed.

// clear parses flush, delete and destroy: of the ruleset, tables, chains, sets, maps and elements.
func (p *Parser) clear() {
	verb := p.take()
	if verb.Text == "flush" && p.acceptWord("ruleset") {
		all := p.peek().Kind != TokenWord
		f := p.family()
		p.Ruleset.Tables = slices.DeleteFunc(p.Ruleset.Tables, func(t *ruleset.Table) bool { return all || t.Family == f })
		p.end("ruleset")
		return
	}
	what := p.expectWord("table, chain, set, map, element or rule")
	switch what.Text {
	case "table", "chain", "set", "map", "element":
	case "rule":
		p.Fail(what.Pos, "rules are deleted by handle, and a file has none; expected the rule not to be in the file")
	default:
		p.Fail(what.Pos, "found %s %q; expected table, chain, set, map or element", verb.Text, what.Text)
	}
	if p.otherFamily() {
		return
	}
	t := p.tableHere(p.family(), p.expectWord("a table's name").Text)
	flush := verb.Text == "flush"
	if what.Text == "table" {
		switch {
		case t == nil:
		case flush:
			for _, c := range t.Chains {
				c.Rules = nil
			}
		default:
			p.Ruleset.Tables = slices.DeleteFunc(p.Ruleset.Tables, func(x *ruleset.Table) bool { return x == t })
		}
		p.end("the table")
		return
	}
	name := p.expectWord("a name")
	switch {
	case what.Text == "element":
		p.deleteElements(t, name)
	case t == nil:
	case what.Text == "chain" && flush:
		if c := t.ByName[name.Text]; c != nil {
			c.Rules = nil
		}
	case what.Text == "chain":
		t.Chains = slices.DeleteFunc(t.Chains, func(c *ruleset.Chain) bool { return c.Name == name.Text })
		delete(t.ByName, name.Text)
	case flush:
		if s := t.Sets[name.Text]; s != nil {
			s.Elements = nil
		}
	default:
		delete(t.Sets, name.Text)
	}
	p.end("the name")
}

// tableHere returns the table of that name, nil if none is declared above.
func (p *Parser) tableHere(f ruleset.Family, name string) *ruleset.Table {
	for _, t := range p.Ruleset.Tables {
		if t.Family == f && t.Name == name {
			return t
		}
	}
	return nil
}

// deleteElements parses the elements of `delete element` and takes them out of their set.
func (p *Parser) deleteElements(t *ruleset.Table, name Token) {
	var s *ruleset.Set
	if t != nil {
		s = t.Sets[name.Text]
	}
	if s == nil {
		p.Fail(name.Pos, "no set is named %q; expected one that is declared above", name.Text)
	}
	if s.Opaque {
		p.skipObject()
		return
	}
	for _, e := range p.elementList(s.Fields, false, nil, s) {
		i := slices.IndexFunc(s.Elements, func(x ruleset.Element) bool { return x.CatchAll == e.CatchAll && slices.Equal(x.Spans, e.Spans) })
		if i < 0 {
			p.Problem(e.Pos, "set %q has no such element; expected one that is declared above", s.Name)
			continue
		}
		s.Elements = slices.Delete(s.Elements, i, i+1)
	}
}

// add parses the one-line commands: add, create and insert.
func (p *Parser) add() {
	verb := p.take()
	what := p.expectWord("table, chain, set, map, counter, limit, rule or element")
	if what.Text == "table" {
		p.tableNamed()
		return
	}
	switch what.Text {
	case "chain", "set", "map", "counter", "limit", "rule", "element", "quota", "ct", "flowtable", "synproxy", "secmark":
	default:
		p.Fail(what.Pos, "found %s %q; expected table, chain, set, map, counter, limit, rule or element", verb.Text, what.Text)
	}
	if verb.Text == "insert" && what.Text != "rule" {
		p.Fail(what.Pos, "found insert %s; expected insert rule", what.Text)
	}
	if what.Text == "ct" {
		p.expectWord("helper, timeout or expectation")
	}
	if p.otherFamily() {
		return
	}
	f := p.family()
	name := p.expectWord("a table's name")
	t := p.tableHere(f, name.Text)
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
		p.addRule(t, verb.Text == "insert")
	case "element":
		p.addElements(t)
	default:
		p.skipObject()
	}
}

// addRule parses `CHAIN [index N] RULE`. An added rule stands last, or behind that of the index; an inserted one first, or before it.
func (p *Parser) addRule(t *ruleset.Table, insert bool) {
	name := p.expectWord("a chain's name")
	c := t.ByName[name.Text]
	if c == nil {
		p.Fail(name.Pos, "no chain of table %s is named %q; expected one that is declared above", t.Name, name.Text)
	}
	at := len(c.Rules)
	if insert {
		at = 0
	}
	switch n := p.peek(); {
	case n.word("index"):
		p.take()
		i := p.peek()
		v := int(p.number("the index of a rule", 31))
		if v >= len(c.Rules) {
			p.Fail(i.Pos, "chain %q has %d rules; expected an index below that", c.Name, len(c.Rules))
		}
		if at = v; !insert {
			at++
		}
	case n.word("position"), n.word("handle"):
		p.Fail(n.Pos, "a rule's place by %s, which a file can't know; expected index", n.Text)
	}
	n := len(c.Rules)
	p.rule(c)
	if r := c.Rules[n]; at < n {
		copy(c.Rules[at+1:], c.Rules[at:n])
		c.Rules[at] = r
	}
}

func (p *Parser) addElements(t *ruleset.Table) {
	name := p.expectWord("a set's name")
	s := t.Sets[name.Text]
	switch {
	case s == nil:
		p.Fail(name.Pos, "no set of table %s is named %q; expected one that is declared above", t.Name, name.Text)
	case s.Opaque:
		p.skipObject()
		return
	}
	p.setElements(s)
	p.checkSet(s)
	p.end("the elements")
}
