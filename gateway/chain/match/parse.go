package match

import (
	"fmt"
	"slices"
)

// layer is where tests look for headers: offsets that `vlan` moves on as the expression is read.
type layer struct{ payload, linkType uint32 }

// parser reads tokens by recursive descent. After the first failure every method returns at once with nil.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
	layer  layer
	failed *Error
}

// maxDepth bounds nested parentheses.
const maxDepth = 100

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) peekAt(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (t token) is(words ...string) bool {
	return !t.escaped && (t.kind == tokenWord || t.kind == tokenOp) && slices.Contains(words, t.text)
}

// skip takes the next token if it is one of words.
func (p *parser) skip(words ...string) bool {
	if p.peek().is(words...) {
		p.at++
		return true
	}
	return false
}

func (p *parser) fail(t token, format string, a ...any) {
	if p.failed == nil {
		p.failed = &Error{t.offset, fmt.Sprintf(format, a...)}
	}
}

// expression reads operands joined by and, or: equal rank, from the left. q is what a bare value in an operand would
// take its words from, and the second result what one behind the expression would.
func (p *parser) expression(q qualifiers) (test, qualifiers) {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), "parentheses are nested more than %d deep; expected fewer", maxDepth)
	}
	defer func() { p.depth-- }()
	left, last := p.operand(q, false)
	for p.failed == nil {
		and := p.peek().is("and", "&&")
		if !and && !p.peek().is("or", "||") {
			return left, last
		}
		p.take()
		var right test
		right, last = p.operand(last, true)
		if and {
			left = both{left, right}
		} else {
			left = either{left, right}
		}
	}
	return nil, noQualifiers
}

// operand reads one primitive, its negation, a relation or a group. bare says whether a value without words is welcome.
func (p *parser) operand(q qualifiers, bare bool) (test, qualifiers) {
	if p.failed != nil {
		return nil, noQualifiers
	}
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), "the expression is nested more than %d deep; expected less", maxDepth)
		return nil, noQualifiers
	}
	defer func() { p.depth-- }()
	t := p.peek()
	if p.skip("not", "!") {
		inner, last := p.operand(q, bare)
		return not{inner}, last
	}
	if t.is("(") || t.is("-") || t.kind == tokenNumber {
		if r := p.tryRelation(); r != nil || p.failed != nil {
			return r, noQualifiers
		}
	}
	switch {
	case t.is("("):
		if bare && q.known && p.valueAhead(1) {
			return p.value(q), q
		}
		p.take()
		inner, _ := p.expression(q)
		p.closing(t)
		return inner, q
	case p.isValue(t):
		if !bare || !q.known {
			p.fail(t, "found %s with nothing that says what it is; expected a primitive, such as `%s`", t, example(t))
			return nil, noQualifiers
		}
		return p.value(q), q
	}
	return p.primitive()
}

func (p *parser) closing(open token) {
	if !p.skip(")") {
		p.fail(p.peek(), "found %s; expected `)` for the `(` before it", p.peek())
	}
}

// tryRelation reads an arithmetic relation, or returns nil with nothing taken where there is none.
func (p *parser) tryRelation() test {
	start, depth := p.at, p.depth
	left := p.arithmetic()
	if p.failed == nil && isRelation(p.peek()) {
		return p.relation(left)
	}
	first, second := p.tokens[start], p.tokens[min(start+1, len(p.tokens)-1)]
	if p.failed != nil && (first.is("-") || first.kind == tokenNumber && second.is(slices.Concat(ranks...)...)) {
		return nil // nothing else begins like this
	}
	p.at, p.depth, p.failed = start, depth, nil
	return nil
}

// isValue reports whether t can be an address, number or name, as opposed to a keyword.
func (p *parser) isValue(t token) bool {
	switch t.kind {
	case tokenNumber, tokenQuad, tokenSix, tokenMAC:
		return true
	case tokenWord:
		return t.escaped || !isKeyword(t.text)
	}
	return false
}

// valueAhead reports whether, n tokens on and behind any parentheses and negations, a value stands.
func (p *parser) valueAhead(n int) bool {
	for p.peekAt(n).is("(", "!", "not") {
		n++
	}
	return p.isValue(p.peekAt(n))
}

func isKeyword(w string) bool {
	_, proto := protocolWords[w]
	_, refused := refusedWords[w]
	return proto || refused || slices.Contains(otherWords, w) || w == "length"
}

func example(t token) string {
	switch t.kind {
	case tokenNumber:
		return "port " + t.text
	case tokenMAC:
		return "ether host " + t.text
	}
	return "host " + t.text
}
