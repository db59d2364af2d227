package firewall

import (
	"fmt"
	"path"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

const (
	maxProblems = 50 // more are the echo of these
	maxIncludes = 16 // nested, as nft
	maxNesting  = 64 // files and variables
	maxTokens   = 4 << 20
)

// parser turns the tokens of a rule file into a ruleset. A mistake in one statement is noted and the next statement is
// read, so that one run names most of what is wrong.
type parser struct {
	open     func(string) ([]byte, error)
	sides    map[string]uint64 // names of iifname and oifname
	streams  []stream          // the innermost include or variable is read first
	depth    int               // braces open
	taken    int               // tokens taken
	defines  map[string][]token
	set      *ruleset
	problems nf.Problems
	warnings nf.Problems
	later    []func() // what waits for the whole file: references to sets
	table    *table
	remarks  *[]remark         // of the rule or set that is being read
	absent   map[string]uint64 // interfaces that are no port here, numbered behind those of sides
}

// stream is where tokens come from: a file, or a variable's value.
type stream struct {
	file string // empty for a variable
	toks []token
	at   int
}

// bail leaves the statement that is being parsed; its problem has been noted.
type bail struct{}

// parseNFT reads name and what it includes. Problems are in the order in which they were met.
func parseNFT(name string, open func(string) ([]byte, error), sides map[string]uint64) *parser {
	p := newParser(open, sides)
	src, ok := p.read(name)
	if !ok {
		return p
	}
	p.streams = []stream{{file: name, toks: lexNFT(name, string(src), p.problem)}}
	for p.more() {
		p.statement(p.topLevel)
	}
	for _, f := range p.later {
		p.guard(f)
	}
	return p
}

// more reports whether the file goes on.
func (p *parser) more() (more bool) { return p.peekRaw().kind != tokEOF }

func newParser(open func(string) ([]byte, error), sides map[string]uint64) *parser {
	return &parser{open: open, sides: sides, defines: map[string][]token{}, set: &ruleset{}, absent: map[string]uint64{}}
}

// read returns the rule file itself.
func (p *parser) read(name string) ([]byte, bool) {
	src, err := p.open(name)
	if err != nil {
		p.problem(position{file: name}, "can't be read: %v", err)
	}
	return src, err == nil
}

func (p *parser) warn(at position, format string, a ...any) {
	if len(p.warnings) < maxProblems {
		p.warnings = append(p.warnings, nf.Problem{File: at.file, Line: at.line, Column: at.col, Message: fmt.Sprintf(format, a...)})
	}
}

func (p *parser) problem(at position, format string, a ...any) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, nf.Problem{File: at.file, Line: at.line, Column: at.col, Message: fmt.Sprintf(format, a...)})
	}
}

// fail notes a problem and leaves the statement.
func (p *parser) fail(at position, format string, a ...any) {
	p.problem(at, format, a...)
	panic(bail{})
}

// expected fails because of what stands next.
func (p *parser) expected(what string, a ...any) {
	t := p.peek()
	p.fail(t.pos, "found %s; expected %s", t.found(), fmt.Sprintf(what, a...))
}

// guard runs f and reports whether it went through.
func (p *parser) guard(f func()) (ok bool) {
	defer func() {
		if e := recover(); e != nil {
			if _, is := e.(bail); !is {
				panic(e)
			}
		}
	}()
	f()
	return true
}

// statement runs f; where that fails it goes on behind the end of the statement, braces matched.
func (p *parser) statement(f func()) {
	depth, taken := p.depth, p.taken
	if p.guard(f) {
		return
	}
	for {
		t := p.peekRaw()
		switch {
		case t.kind == tokEOF:
			return
		case t.kind == tokBreak && p.depth <= depth:
			p.take()
			return
		case t.is("}") && p.depth <= depth:
			if p.taken == taken {
				p.take() // a statement that is nothing but a stray brace
			}
			return
		}
		p.takeRaw()
		if t.is("}") && p.depth <= depth {
			return
		}
	}
}

// peekRaw returns the next token as it stands.
func (p *parser) peekRaw() token {
	for {
		s := &p.streams[len(p.streams)-1]
		if s.at < len(s.toks) {
			return s.toks[s.at]
		}
		p.streams = p.streams[:len(p.streams)-1]
	}
}

func (p *parser) takeRaw() token {
	t := p.peekRaw()
	if t.kind == tokEOF {
		return t
	}
	p.streams[len(p.streams)-1].at++
	p.taken++
	switch {
	case t.is("{"):
		p.depth++
	case t.is("}"):
		p.depth--
	}
	return t
}

// peek returns the next token, variables replaced by what they stand for.
func (p *parser) peek() token {
	for {
		t := p.peekRaw()
		if !t.is("$") {
			return t
		}
		p.takeRaw()
		name := p.takeRaw()
		body, ok := p.defines[name.text]
		if name.kind != tokWord || !ok {
			p.fail(name.pos, "no variable is named %q; expected one that a `define` above makes", name.text)
		}
		if len(p.streams) > maxNesting {
			p.fail(name.pos, "variables and files are nested %d deep; expected at most %d", len(p.streams), maxNesting)
		}
		if p.taken > maxTokens {
			p.fail(name.pos, "variables make more than %d words of this file; expected fewer", maxTokens)
		}
		p.streams = append(p.streams, stream{toks: body})
	}
}

func (p *parser) take() token {
	p.peek()
	return p.takeRaw()
}

// accept takes the next token if it is punctuation s.
func (p *parser) accept(s string) bool {
	if p.peek().is(s) {
		p.take()
		return true
	}
	return false
}

func (p *parser) acceptWord(w string) bool {
	if p.peek().word(w) {
		p.take()
		return true
	}
	return false
}

func (p *parser) expect(s string) token {
	if !p.peek().is(s) {
		p.expected("%q", s)
	}
	return p.take()
}

func (p *parser) expectWord(what string) token {
	if p.peek().kind != tokWord {
		p.expected("%s", what)
	}
	return p.take()
}

// skipBreaks passes line ends; nft allows them around the elements of a set.
func (p *parser) skipBreaks() {
	for t := p.peek(); t.kind == tokBreak && t.text != ";"; t = p.peek() {
		p.take()
	}
}

// end takes the end of a statement.
func (p *parser) end(after string) {
	switch t := p.peek(); {
	case t.kind == tokBreak:
		p.take()
	case t.kind == tokEOF || t.is("}"):
	default:
		p.expected("the end of the line or \";\" after %s", after)
	}
}

// common parses what may stand at any level: includes and variables.
func (p *parser) common() bool {
	switch t := p.peek(); {
	case t.kind == tokBreak:
		p.take()
	case t.word("include"):
		p.include()
	case t.word("define"), t.word("redefine"):
		p.define(t.text == "redefine")
	case t.word("undefine"):
		p.take()
		name := p.expectWord("a variable's name")
		if _, ok := p.defines[name.text]; !ok {
			p.fail(name.pos, "no variable is named %q; expected one that a `define` above makes", name.text)
		}
		delete(p.defines, name.text)
		p.end("the variable's name")
	default:
		return false
	}
	return true
}

// include reads another file in place. Its name counts from the folder of the file that includes it.
func (p *parser) include() {
	p.take()
	t := p.peek()
	if t.kind != tokString {
		p.expected("a file's name in quotes")
	}
	p.take()
	p.end("the file's name")
	name := t.text
	if strings.ContainsAny(name, "*?[") {
		p.fail(t.pos, "include of the pattern %q: a worker has no folder to look through; expected one include for each file", name)
	}
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(t.pos.file), name)
	}
	nested := 0
	for _, s := range p.streams {
		if s.file == name {
			p.fail(t.pos, "include of %q: that file is being read already; expected no file to include itself", name)
		}
		if s.file != "" {
			nested++
		}
	}
	if nested >= maxIncludes {
		p.fail(t.pos, "include of %q: files are nested %d deep; expected at most %d", name, nested+1, maxIncludes)
	}
	src, err := p.open(name)
	if err != nil {
		p.fail(t.pos, "include of %q: %v", name, err)
	}
	body := lexNFT(name, string(src), p.problem)
	body[len(body)-1].kind, body[len(body)-1].text = tokBreak, "\n"
	p.streams = append(p.streams, stream{file: name, toks: body})
}

// define keeps the tokens of a variable's value.
func (p *parser) define(again bool) {
	p.take()
	name := p.expectWord("a variable's name")
	if _, dup := p.defines[name.text]; dup && !again {
		p.fail(name.pos, "variable %q is defined already; expected another name, or `redefine`", name.text)
	}
	p.expect("=")
	var body []token
	for depth := p.depth; ; {
		t := p.peek()
		if t.kind == tokEOF || p.depth <= depth && (t.kind == tokBreak || t.is("}")) {
			break
		}
		p.take()
		if t.kind != tokBreak {
			body = append(body, t)
		}
	}
	if len(body) == 0 {
		p.expected("the value of variable %q", name.text)
	}
	p.defines[name.text] = body
	p.end("the variable's value")
}
