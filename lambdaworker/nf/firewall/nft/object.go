package nft

import (
	"fmt"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// counterBlock parses `counter NAME { packets N bytes M; comment "..." }`, behind its first word.
func (p *Parser) counterBlock() {
	name := p.expectWord("a counter's name")
	t := p.Table
	if t.Counter(name.Text) != nil {
		p.Fail(name.Pos, "counter %q is declared already; expected another name", name.Text)
	}
	c := &ruleset.NamedCounter{Name: name.Text, Pos: name.Pos}
	t.Named = append(t.Named, c)
	if p.accept("{") {
		p.block("counter "+c.Name, func() {
			switch w := p.peek(); {
			case p.common():
			case w.word("packets"):
				c.Start = p.counterStart()
			case w.word("comment"):
				p.take()
				p.comment()
			default:
				p.expected("packets or comment")
			}
		})
	}
	p.end("the counter")
}

// limitBlock parses `limit NAME { rate ... }`, behind its first word.
func (p *Parser) limitBlock() {
	name := p.expectWord("a limit's name")
	t := p.Table
	if t.Limits[name.Text] != nil {
		p.Fail(name.Pos, "limit %q is declared already; expected another name", name.Text)
	}
	var l *ruleset.Limit
	p.expect("{")
	p.block("limit "+name.Text, func() {
		switch w := p.peek(); {
		case p.common():
		case w.word("rate") && l == nil:
			l = p.limit()
			t.Limits[name.Text] = l
		case w.word("comment"):
			p.take()
			p.comment()
		default:
			p.expected("one rate, or comment")
		}
	})
	if l == nil {
		p.Fail(name.Pos, "limit %q has no rate; expected `rate` in it", name.Text)
	}
	p.end("the limit")
}

// objectName takes the name of a counter or limit, quoted or not.
func (p *Parser) objectName(what string) Token {
	if t := p.peek(); t.Kind != TokenWord && t.Kind != TokenString {
		p.expected("a %s's name", what)
	}
	t := p.take()
	if p.peek().word("map") || startsMatch(t) {
		p.Unsupported(t.Pos, "a %s by map is nftables, but not of the subset that runs here; expected the name of one %s; "+Subset, what, what)
	}
	return t
}

// useCounter appends a counter of that name, which may be declared further down.
func (p *Parser) useCounter(r *ruleset.Rule, o ruleset.Op) {
	name, t, i := p.objectName("counter"), p.Table, len(r.Ops)
	r.Ops = append(r.Ops, o)
	p.deferred = append(p.deferred, func() {
		if r.Ops[i].Named = t.Counter(name.Text); r.Ops[i].Named == nil {
			p.Fail(name.Pos, "no counter of table %s is named %q; expected one that the table declares: counter %s {}", t.Name, name.Text, name.Text)
		}
	})
}

func (p *Parser) useLimit(r *ruleset.Rule, o ruleset.Op) {
	name, t, i := p.objectName("limit"), p.Table, len(r.Ops)
	r.Ops = append(r.Ops, o)
	p.deferred = append(p.deferred, func() {
		if r.Ops[i].Limit = t.Limits[name.Text]; r.Ops[i].Limit == nil {
			p.Fail(name.Pos, "no limit of table %s is named %q; expected one that the table declares", t.Name, name.Text)
		}
	})
}

// elementKey parses the values of an element.
func (p *Parser) elementKey(e *ruleset.Element, kinds []ruleset.Datatype) {
	for i, k := range kinds {
		if i > 0 {
			p.expect(".")
		}
		e.Spans = append(e.Spans, p.value(k))
	}
}

// elementOptions parses what may stand behind the values: `timeout 1h`, `expires 5m`, `counter packets 0 bytes 0`, `comment`.
func (p *Parser) elementOptions(of *ruleset.Set) {
	for {
		switch t := p.peek(); {
		case t.word("comment"):
			p.take()
			p.comment()
		case (t.word("timeout") || t.word("expires")) && of != nil:
			p.take()
			p.duration()
			if of.Expires == (ruleset.Pos{}) {
				of.Expires = t.Pos
			}
		case t.word("counter") && of != nil:
			p.take()
			p.counterStart()
		default:
			return
		}
	}
}

// duration takes a time such as 30s, 1h30m or 2d.
func (p *Parser) duration() {
	t := p.peek()
	rest, units := t.Text, 0
	for rest != "" {
		n := runLen(rest, isDigit)
		u := runLen(rest[n:], isLetter)
		if n == 0 || n+u < len(rest) && !isDigit(rest[n+u]) || !strings.Contains(" s ms m h d w ", " "+rest[n:n+u]+" ") && (u > 0 || units > 0) {
			p.expected("a time such as 30s, 1h30m or 2d")
		}
		rest, units = rest[n+u:], units+1
	}
	if t.Kind != tokNumber {
		p.expected("a time such as 30s, 1h30m or 2d")
	}
	p.take()
}

// checkTimeouts refuses elements that would expire. An element's time runs from the moment the file is loaded, and there is no
// such moment: each worker loads it when it starts. A set that may have timeouts and whose elements have none is one like others.
func (p *Parser) checkTimeouts(s *ruleset.Set) {
	at := s.Expires
	if at == (ruleset.Pos{}) && len(s.Elements) > 0 {
		at = s.Timeout
	}
	switch {
	case at != (ruleset.Pos{}):
		s.Diagnostics = append(s.Diagnostics, ruleset.Diagnostic{Pos: at, Reached: ruleset.Refuse, Unreached: ruleset.Warn, Message: fmt.Sprintf(
			"elements of set %q would expire some time after the file is loaded, and workers load it each at a time of its own; expected elements without timeout", s.Name)})
	case s.Timeout != (ruleset.Pos{}):
		p.Warn(s.Timeout, "set %q is empty and stays so: nothing adds elements here", s.Name)
	}
}
