package firewall

import "strings"

// counterBlock parses `counter NAME { packets N bytes M; comment "..." }`, behind its first word.
func (p *parser) counterBlock() {
	name := p.expectWord("a counter's name")
	t := p.table
	if t.counter(name.text) != nil {
		p.fail(name.pos, "counter %q is declared already; expected another name", name.text)
	}
	c := &namedCounter{name: name.text, pos: name.pos}
	t.named = append(t.named, c)
	if p.accept("{") {
		p.block("counter "+c.name, func() {
			switch w := p.peek(); {
			case p.common():
			case w.word("packets"):
				c.start = p.counterStart()
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

func (t *table) counter(name string) *namedCounter {
	for _, c := range t.named {
		if c.name == name {
			return c
		}
	}
	return nil
}

// limitBlock parses `limit NAME { rate ... }`, behind its first word.
func (p *parser) limitBlock() {
	name := p.expectWord("a limit's name")
	t := p.table
	if t.limits[name.text] != nil {
		p.fail(name.pos, "limit %q is declared already; expected another name", name.text)
	}
	var l *limitSpec
	p.expect("{")
	p.block("limit "+name.text, func() {
		switch w := p.peek(); {
		case p.common():
		case w.word("rate") && l == nil:
			l = p.limit()
			t.limits[name.text] = l
		case w.word("comment"):
			p.take()
			p.comment()
		default:
			p.expected("one rate, or comment")
		}
	})
	if l == nil {
		p.fail(name.pos, "limit %q has no rate; expected `rate` in it", name.text)
	}
	p.end("the limit")
}

// objectName takes the name of a counter or limit, quoted or not.
func (p *parser) objectName(what string) token {
	if t := p.peek(); t.kind != tokWord && t.kind != tokString {
		p.expected("a %s's name", what)
	}
	t := p.take()
	if p.peek().word("map") || startsMatch(t) {
		p.beyond(t.pos, "a %s by map is nftables, but not of the subset that runs here; expected the name of one %s; "+subset, what, what)
	}
	return t
}

// useCounter appends a counter of that name, which may be declared further down.
func (p *parser) useCounter(r *rule, o op) {
	name, t, i := p.objectName("counter"), p.table, len(r.ops)
	r.ops = append(r.ops, o)
	p.later = append(p.later, func() {
		if r.ops[i].named = t.counter(name.text); r.ops[i].named == nil {
			p.fail(name.pos, "no counter of table %s is named %q; expected one that the table declares: counter %s {}", t.name, name.text, name.text)
		}
	})
}

func (p *parser) useLimit(r *rule, o op) {
	name, t, i := p.objectName("limit"), p.table, len(r.ops)
	r.ops = append(r.ops, o)
	p.later = append(p.later, func() {
		if r.ops[i].limit = t.limits[name.text]; r.ops[i].limit == nil {
			p.fail(name.pos, "no limit of table %s is named %q; expected one that the table declares", t.name, name.text)
		}
	})
}

// elementKey parses the values of an element.
func (p *parser) elementKey(e *element, kinds []datatype) {
	for i, k := range kinds {
		if i > 0 {
			p.expect(".")
		}
		e.spans = append(e.spans, p.value(k))
	}
}

// elementOptions parses what may stand behind the values: `timeout 1h`, `expires 5m`, `counter packets 0 bytes 0`, `comment`.
func (p *parser) elementOptions(of *set) {
	for {
		switch t := p.peek(); {
		case t.word("comment"):
			p.take()
			p.comment()
		case (t.word("timeout") || t.word("expires")) && of != nil:
			p.take()
			p.duration()
			if of.expires == (position{}) {
				of.expires = t.pos
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
func (p *parser) duration() {
	t := p.peek()
	rest, units := t.text, 0
	for rest != "" {
		n := runLen(rest, isDigit)
		u := runLen(rest[n:], isLetter)
		if n == 0 || n+u < len(rest) && !isDigit(rest[n+u]) || !strings.Contains(" s ms m h d w ", " "+rest[n:n+u]+" ") && (u > 0 || units > 0) {
			p.expected("a time such as 30s, 1h30m or 2d")
		}
		rest, units = rest[n+u:], units+1
	}
	if t.kind != tokNumber {
		p.expected("a time such as 30s, 1h30m or 2d")
	}
	p.take()
}

// checkTimeouts refuses elements that would expire. An element's time runs from the moment the file is loaded, and there is no
// such moment: each worker loads it when it starts. A set that may have timeouts and whose elements have none is one like others.
func (p *parser) checkTimeouts(s *set) {
	at := s.expires
	if at == (position{}) && len(s.elements) > 0 {
		at = s.timeout
	}
	switch {
	case at != (position{}):
		p.problem(at, "elements of set %q would expire some time after the file is loaded, and workers load it each at a time of its own; expected elements without timeout", s.name)
	case s.timeout != (position{}):
		p.warn(s.timeout, "set %q is empty and stays so: nothing adds elements here", s.name)
	}
}
