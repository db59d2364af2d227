package firewall

import (
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

// parseIPTables reads what iptables-save or ip6tables-save wrote into the same ruleset that nft text becomes. Every
// rule has a counter, as in iptables, which starts from what the file says.
func parseIPTables(name string, f family, open func(string) ([]byte, error), sides map[string]uint64) *parser {
	p := newParser(open, sides)
	src, ok := p.read(name)
	if !ok {
		return p
	}
	t := &tables{parser: p, family: f}
	for i, line := range strings.Split(string(src), "\n") {
		words := t.split(position{name, i + 1, 1}, strings.TrimSuffix(line, "\r"))
		if len(words) > 0 {
			p.guard(func() { t.line(words) })
		}
	}
	t.endSkipped()
	t.unrun()
	if p.table == nil && len(p.problems) == 0 {
		p.problem(position{name, 1, 1}, "no table filter; expected what iptables-save prints, from *filter to COMMIT")
	}
	return p
}

// tables is an iptables-save file that is being read.
type tables struct {
	*parser
	family  family
	skipped *skippedTable // that is being read, nil in table filter
	words   []token       // of the line that are not read yet
	last    token         // that was
}

// split cuts a line into words as a shell would: double quotes, backslashes.
func (t *tables) split(at position, line string) []token {
	var out []token
	for i := 0; i < len(line); {
		if line[i] == ' ' || line[i] == '\t' {
			i++
			continue
		}
		if line[i] == '#' && len(out) == 0 {
			return nil
		}
		w := token{kind: tokWord, pos: position{at.file, at.line, i + 1}}
		quoted := false
		var text []byte
		for ; i < len(line) && (quoted || line[i] != ' ' && line[i] != '\t'); i++ {
			switch {
			case line[i] == '"':
				quoted = !quoted
				w.kind = tokString
			case line[i] == '\\' && i+1 < len(line):
				i++
				text = append(text, line[i])
			default:
				text = append(text, line[i])
			}
		}
		if quoted {
			t.problem(w.pos, "a quotation starts here and does not end on its line; expected a closing \"")
			return nil
		}
		w.text = string(text)
		out = append(out, w)
	}
	return out
}

func (t *tables) line(words []token) {
	w := words[0]
	switch {
	case w.text == "":
		t.fail(w.pos, "found an empty word; expected *filter, a chain, a rule or COMMIT")
	case w.text[0] == '*':
		t.endSkipped()
		if w.text != "*filter" {
			t.beginSkipped(w)
			return
		}
		t.table = t.tableOf(t.family, "filter")
	case w.text == "COMMIT":
		t.endSkipped()
	case t.skipped != nil:
		t.skippedLine(words)
	case w.text[0] == ':':
		t.chainLine(words)
	default:
		t.ruleLine(words)
	}
}

// unrun warns of rules for the host's own packets.
func (t *tables) unrun() {
	if t.table == nil {
		return
	}
	for _, c := range t.table.chains {
		if c.base && !c.forward && len(c.rules) > 0 {
			t.warn(c.pos, "chain %s sees no packet here: packets from port to port are forwarded; its rules count nothing", c.name)
		}
	}
}

func (t *tables) need() *table {
	if t.table == nil {
		t.fail(t.words[0].pos, "found %s before a table; expected *filter", t.words[0].found())
	}
	return t.table
}

// chainLine reads `:FORWARD DROP [0:0]`.
func (t *tables) chainLine(words []token) {
	t.words = words
	tb := t.need()
	name := words[0].text[1:]
	if len(words) < 2 || name == "" {
		t.fail(words[0].pos, "found %q; expected `:CHAIN POLICY [packets:bytes]`", words[0].text)
	}
	c := &chain{name: name, pos: words[0].pos, table: tb}
	if tb.byName[name] != nil {
		t.fail(words[0].pos, "chain %s is declared already", name)
	}
	switch words[1].text {
	case "ACCEPT":
		c.base, c.policy = true, accept
	case "DROP":
		c.base, c.policy = true, drop
	case "-":
	default:
		t.fail(words[1].pos, "found the policy %q; expected ACCEPT, DROP or -", words[1].text)
	}
	c.forward = name == "FORWARD"
	c.hook = hook{typ: "filter", name: strings.ToLower(name), typPos: c.pos, pos: c.pos}
	tb.byName[name] = c
	tb.chains = append(tb.chains, c)
}

// ruleLine reads `[1:60] -A CHAIN matches -j TARGET`.
func (t *tables) ruleLine(words []token) {
	t.words = words
	tb := t.need()
	r := &rule{pos: words[0].pos}
	var start counterStart
	if w := words[0]; w.text[0] == '[' {
		start = t.counts(w)
		t.words = t.words[1:]
	}
	add := t.word("-A")
	if add.text != "-A" && add.text != "--append" {
		t.fail(add.pos, "found %s; expected -A and a chain", add.found())
	}
	name := t.word("a chain's name")
	c := tb.byName[name.text]
	if c == nil {
		t.fail(name.pos, "no chain is named %q; expected one that a line `:%s ...` declares", name.text, name.text)
	}
	ctx := ruleContext{l3: [...]packet.Kind{familyIP: packet.IPv4, familyIP6: packet.IPv6}[t.family], l4: -1}
	r.ops = append(r.ops, equals(metaNFProto, nfprotoOf(ctx.l3), r.pos))
	c.rules = append(c.rules, r)
	t.remarks = &r.remarks
	defer func() { t.remarks = nil }()
	x := tablesRule{tables: t, rule: r, ctx: &ctx}
	x.options()
	r.ops = append(r.ops, op{kind: opCounter, pos: r.pos, counter: start})
	r.ops = append(r.ops, x.target...)
}

func (t *tables) counts(w token) counterStart {
	a, b, ok := strings.Cut(strings.Trim(w.text, "[]"), ":")
	p, err1 := parseNumber(a)
	n, err2 := parseNumber(b)
	if !ok || err1 != nil || err2 != nil {
		t.fail(w.pos, "found %q; expected [packets:bytes]", w.text)
	}
	return counterStart{p, n}
}

// word takes the next word of the line.
func (t *tables) word(what string) token {
	if len(t.words) == 0 {
		t.fail(t.end(), "found the end of the line; expected %s", what)
	}
	w := t.words[0]
	t.words = t.words[1:]
	t.last = w
	return w
}

func (t *tables) end() position {
	p := t.last.pos
	p.col += len(t.last.text)
	return p
}
