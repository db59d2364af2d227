// Package iptables reads what iptables-save and ip6tables-save print into a ruleset.
package iptables

import (
	"bytes"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Parse reads what iptables-save or ip6tables-save wrote into the same ruleset that nft text becomes. Every
// rule has a counter, as in iptables, which starts from what the file says.
func Parse(name string, f ruleset.Family, from nft.Source, ifaces map[string]uint64) *nft.Parser {
	p := nft.New(from, ifaces)
	p.Reading(func() { read(p, name, f) })
	return p
}

func read(p *nft.Parser, name string, f ruleset.Family) {
	src, ok := p.Read(name)
	if !ok {
		return
	}
	if c := firstByte(src); c != 0 && strings.IndexByte("*:-[C", c) < 0 {
		word, _, _ := bytes.Cut(bytes.TrimSpace(src), []byte(" "))
		word, _, _ = bytes.Cut(word, []byte("\n"))
		p.Problem(ruleset.Pos{File: name, Line: 1, Col: 1}, "found %.20q before a table; expected what iptables-save prints, from *filter to COMMIT", word)
		return
	}
	t := &file{Parser: p, family: f}
	for i, line := range strings.Split(string(src), "\n") {
		if i&0xff == 0 {
			p.Tick()
		}
		words := t.split(ruleset.Pos{File: name, Line: i + 1, Col: 1}, strings.TrimSuffix(line, "\r"))
		if len(words) > 0 {
			p.Guard(func() { t.line(words) })
		}
	}
	t.endSkipped()
	t.warnUnreached()
	if p.Table == nil && len(p.Problems) == 0 {
		p.Problem(ruleset.Pos{File: name, Line: 1, Col: 1}, "no table filter; expected what iptables-save prints, from *filter to COMMIT")
	}
}

// firstByte returns what the first line begins with that is neither empty nor a comment, 0 if there is none.
func firstByte(src []byte) byte {
	for line := range bytes.Lines(src) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return line[0]
		}
	}
	return 0
}

// file is an iptables-save file that is being read.
type file struct {
	*nft.Parser
	family  ruleset.Family
	skipped *skippedTable // that is being read, nil in table filter
	words   []nft.Token   // of the line that are not read yet
	last    nft.Token     // that was
}

// split cuts a line into words as a shell would: double quotes, backslashes.
func (t *file) split(at ruleset.Pos, line string) []nft.Token {
	var out []nft.Token
	for i := 0; i < len(line); {
		if line[i] == ' ' || line[i] == '\t' {
			i++
			continue
		}
		if line[i] == '#' && len(out) == 0 {
			return nil
		}
		w := nft.Token{Kind: nft.TokenWord, Pos: ruleset.Pos{File: at.File, Line: at.Line, Col: i + 1}}
		quoted := false
		var text []byte
		for ; i < len(line) && (quoted || line[i] != ' ' && line[i] != '\t'); i++ {
			switch {
			case line[i] == '"':
				quoted = !quoted
				w.Kind = nft.TokenString
			case line[i] == '\\' && i+1 < len(line):
				i++
				text = append(text, line[i])
			default:
				text = append(text, line[i])
			}
		}
		if quoted {
			t.Problem(w.Pos, "a quotation starts here and does not end on its line; expected a closing \"")
			return nil
		}
		w.Text = string(text)
		out = append(out, w)
	}
	return out
}

func (t *file) line(words []nft.Token) {
	t.last = words[0]
	w := words[0]
	switch {
	case w.Text == "":
		t.Fail(w.Pos, "found an empty word; expected *filter, a chain, a rule or COMMIT")
	case w.Text[0] == '*':
		t.endSkipped()
		if w.Text != "*filter" {
			t.beginSkipped(w)
			return
		}
		t.Table = t.TableOf(t.family, "filter")
	case w.Text == "COMMIT":
		t.endSkipped()
	case t.skipped != nil:
		t.skippedLine(words)
	case w.Text[0] == ':':
		t.chainLine(words)
	default:
		t.ruleLine(words)
	}
}

// warnUnreached warns of rules for the host's own packets.
func (t *file) warnUnreached() {
	if t.Table == nil {
		return
	}
	for _, c := range t.Table.Chains {
		if c.Base && !c.Forward && len(c.Rules) > 0 {
			t.Warn(c.Pos, "chain %s sees no packet here: packets from port to port are forwarded; its rules count nothing", c.Name)
		}
	}
}

func (t *file) need() *ruleset.Table {
	if t.Table == nil {
		t.Fail(t.words[0].Pos, "found %s before a table; expected *filter", t.words[0].Found())
	}
	return t.Table
}

// chainLine reads `:FORWARD DROP [0:0]`.
func (t *file) chainLine(words []nft.Token) {
	t.words = words
	tb := t.need()
	name := words[0].Text[1:]
	if len(words) < 2 || name == "" {
		t.Fail(words[0].Pos, "found %q; expected `:CHAIN POLICY [packets:bytes]`", words[0].Text)
	}
	c := &ruleset.Chain{Name: name, Pos: words[0].Pos, Table: tb}
	if tb.ByName[name] != nil {
		t.Fail(words[0].Pos, "chain %s is declared already", name)
	}
	switch words[1].Text {
	case "ACCEPT":
		c.Base, c.Policy = true, ruleset.Accept
	case "DROP":
		c.Base, c.Policy = true, ruleset.Drop
	case "-":
	default:
		t.Fail(words[1].Pos, "found the policy %q; expected ACCEPT, DROP or -", words[1].Text)
	}
	c.Forward = name == "FORWARD"
	c.Hook = ruleset.Hook{Type: "filter", Name: strings.ToLower(name), TypePos: c.Pos, Pos: c.Pos}
	tb.ByName[name] = c
	tb.Chains = append(tb.Chains, c)
}

// ruleLine reads `[1:60] -A CHAIN matches -j TARGET`.
func (t *file) ruleLine(words []nft.Token) {
	t.words = words
	tb := t.need()
	r := &ruleset.Rule{Pos: words[0].Pos}
	var start ruleset.CounterStart
	if w := words[0]; w.Text[0] == '[' {
		start = t.counts(w)
		t.words = t.words[1:]
	}
	add := t.word("-A")
	if add.Text != "-A" && add.Text != "--append" {
		t.Fail(add.Pos, "found %s; expected -A and a chain", add.Found())
	}
	name := t.word("a chain's name")
	c := tb.ByName[name.Text]
	if c == nil {
		t.Fail(name.Pos, "no chain is named %q; expected one that a line `:%s ...` declares", name.Text, name.Text)
	}
	ctx := nft.RuleContext{L3: [...]packet.Kind{ruleset.FamilyIP: packet.IPv4, ruleset.FamilyIP6: packet.IPv6}[t.family], L4: -1}
	r.Ops = append(r.Ops, ruleset.Equals(ruleset.MetaNFProto, ruleset.NFProtoOf(ctx.L3), r.Pos))
	c.Rules = append(c.Rules, r)
	t.Diagnostics = &r.Diagnostics
	defer func() { t.Diagnostics = nil }()
	x := rule{file: t, rule: r, ctx: &ctx}
	x.options()
	r.Ops = append(r.Ops, ruleset.Op{Kind: ruleset.OpCounter, Pos: r.Pos, Counter: start})
	r.Ops = append(r.Ops, x.target...)
}

func (t *file) counts(w nft.Token) ruleset.CounterStart {
	a, b, ok := strings.Cut(strings.Trim(w.Text, "[]"), ":")
	p, err1 := nft.ParseNumber(a)
	n, err2 := nft.ParseNumber(b)
	if !ok || err1 != nil || err2 != nil {
		t.Fail(w.Pos, "found %q; expected [packets:bytes]", w.Text)
	}
	return ruleset.CounterStart{Packets: p, Bytes: n}
}

// word takes the next word of the line.
func (t *file) word(what string) nft.Token {
	if len(t.words) == 0 {
		t.Fail(t.end(), "found the end of the line; expected %s", what)
	}
	w := t.words[0]
	t.words = t.words[1:]
	t.last = w
	return w
}

func (t *file) end() ruleset.Pos {
	p := t.last.Pos
	p.Col += len(t.last.Text)
	return p
}
