// Package nft reads nftables rule files into a ruleset: tokens (lex), statements (all files but these), jumps and reach (resolve), and what is wrong
// or not supported, each with its place (diagnostic, unsupported).
package nft

import (
	"context"
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

const (
	maxProblems = 50 // more are the echo of these
	maxIncludes = 16 // nested, as nft
	maxNesting  = 64 // files and variables
	maxTokens   = 4 << 20
	maxBraces   = 64
	maxBytes    = 256 << 20 // of all files together
)

// Parser turns the tokens of a rule file into a ruleset. A mistake in one statement is noted and the next statement is
// read, so that one run names most of what is wrong.
type Parser struct {
	Err           error // that of the context: reading was given up, and nothing else here means anything
	source        Source
	bytes         int               // read so far
	ifaces        map[string]uint64 // names of iifname and oifname
	streams       []stream          // the innermost include or variable is read first
	depth         int               // braces open
	parens        int
	taken         int // tokens taken
	defines       map[string][]Token
	Ruleset       *ruleset.Ruleset
	Problems      nf.Problems
	Warnings      nf.Problems
	deferred      []func() // what waits for the whole file: references to sets
	Table         *ruleset.Table
	Diagnostics   *[]ruleset.Diagnostic // of the rule or set that is being read
	marksCompared bool                  // by some rule
	said          map[string]bool       // by warnOnce
	unknown       map[string]uint64     // interfaces that are no port here, numbered behind those of sides
}

// Source is where rule files come from.
type Source struct {
	Open    func(name string) ([]byte, error)
	Glob    func(pattern string) ([]string, error) // names that Open takes, sorted; nil where there is no folder to look through
	Context context.Context                        // reading is given up when it is done; nil: never
}

// stream is where tokens come from: a file, or a variable's value. Those of a file are made as they are taken, so that a
// long file costs its bytes and what is kept of it.
type stream struct {
	file  string // empty for a variable
	depth int    // of files that include each other
	lex   *lexer // nil: toks is all
	toks  []Token
	at    int
}

// fill makes one more token of the file, and reports whether there was one.
func (s *stream) fill(last bool) bool {
	if s.lex == nil {
		return false
	}
	if s.at == len(s.toks) {
		s.toks, s.at = s.toks[:0], 0
	}
	t := s.lex.next()
	if t.Kind == tokEOF {
		s.lex = nil
		if !last {
			t.Kind, t.Text = tokBreak, "\n" // what includes a file goes on behind it
		}
	}
	s.toks = append(s.toks, t)
	return true
}

// cancelled leaves the whole file.
type cancelled struct{}

// bail leaves the statement that is being parsed; its problem has been noted.
type bail struct{}

// Parse reads name and what it includes. Problems are in the order in which they were met.
func Parse(name string, from Source, ifaces map[string]uint64) *Parser {
	p := New(from, ifaces)
	p.Reading(func() {
		src, ok := p.Read(name)
		if !ok {
			return
		}
		if t, ok := startsRules(name, src); !ok {
			p.Problem(t.Pos, "found %s; expected table, add, insert, include, define, flush or delete", t.Found())
			return
		}
		p.streams = []stream{{file: name, lex: newLexer(name, string(src), p.Problem)}}
		for p.more() {
			p.statement(p.topLevel)
		}
		for _, f := range p.deferred {
			p.Guard(f)
		}
	})
	return p
}

// Reading runs f, which reads a file, until it ends or the source's context is done: then Err says so.
func (p *Parser) Reading(f func()) {
	defer func() {
		if e := recover(); e != nil {
			if _, is := e.(cancelled); !is {
				panic(e)
			}
			p.Err = p.source.Context.Err()
		}
	}()
	p.Tick()
	f()
}

// Tick gives up reading if the context is done.
func (p *Parser) Tick() {
	if c := p.source.Context; c != nil && c.Err() != nil {
		panic(cancelled{})
	}
}

// more reports whether the file goes on.
func (p *Parser) more() (more bool) { return p.peekRaw().Kind != tokEOF }

// New returns a parser of files from that source; ifaces are the names that iifname and oifname may take.
func New(from Source, ifaces map[string]uint64) *Parser {
	return &Parser{source: from, ifaces: ifaces, defines: map[string][]Token{}, Ruleset: &ruleset.Ruleset{}, unknown: map[string]uint64{}, said: map[string]bool{}}
}

// Read returns the rule file itself.
func (p *Parser) Read(name string) ([]byte, bool) {
	at := ruleset.Pos{File: name} // of no line: whoever names the file is told where they do
	src, err := p.source.Open(name)
	if err == nil {
		at.Line, at.Col = 1, 1
		err = p.text(src)
	}
	if err != nil {
		p.Problem(at, "can't be read: %v", err)
	}
	return src, err == nil
}

// Warn notes what is odd at that place and no error.
func (p *Parser) Warn(at ruleset.Pos, format string, a ...any) {
	if len(p.Warnings) < maxProblems {
		p.Warnings = append(p.Warnings, nf.Problem{File: at.File, Line: at.Line, Column: at.Col, Message: fmt.Sprintf(format, a...)})
	}
}

// Problem notes what is wrong at that place.
func (p *Parser) Problem(at ruleset.Pos, format string, a ...any) {
	if len(p.Problems) < maxProblems {
		p.Problems = append(p.Problems, nf.Problem{File: at.File, Line: at.Line, Column: at.Col, Message: fmt.Sprintf(format, a...)})
	}
}

// Fail notes a problem and leaves the statement.
func (p *Parser) Fail(at ruleset.Pos, format string, a ...any) {
	p.Problem(at, format, a...)
	panic(bail{})
}

// expected fails because of what stands next.
func (p *Parser) expected(what string, a ...any) {
	t := p.peek()
	p.Fail(t.Pos, "found %s; expected %s", t.Found(), fmt.Sprintf(what, a...))
}

// Guard runs f and reports whether it went through.
func (p *Parser) Guard(f func()) (ok bool) {
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
func (p *Parser) statement(f func()) {
	depth, taken := p.depth, p.taken
	if p.Guard(f) {
		return
	}
	for {
		t := p.peekRaw()
		switch {
		case t.Kind == tokEOF:
			return
		case t.Kind == tokBreak && p.depth <= depth:
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
func (p *Parser) peekRaw() Token {
	for {
		s := &p.streams[len(p.streams)-1]
		if s.at < len(s.toks) {
			return s.toks[s.at]
		}
		if s.fill(len(p.streams) == 1) {
			continue
		}
		p.streams = p.streams[:len(p.streams)-1]
	}
}

func (p *Parser) takeRaw() Token {
	t := p.peekRaw()
	if t.Kind == tokEOF {
		return t
	}
	p.streams[len(p.streams)-1].at++
	if p.taken++; p.taken&0xfff == 0 {
		p.Tick()
	}
	switch {
	case t.is("{"):
		p.depth++
	case t.is("}"):
		p.depth--
	}
	return t
}

// peek returns the next token, variables replaced by what they stand for.
func (p *Parser) peek() Token {
	for {
		t := p.peekRaw()
		if !t.is("$") {
			return t
		}
		p.takeRaw()
		name := p.takeRaw()
		body, ok := p.defines[name.Text]
		if name.Kind != TokenWord || !ok {
			p.Fail(name.Pos, "no variable is named %q; expected one that a `define` above makes", name.Text)
		}
		if len(p.streams) > maxNesting {
			p.Fail(name.Pos, "variables and files are nested %d deep; expected at most %d", len(p.streams), maxNesting)
		}
		if p.taken > maxTokens {
			p.Fail(name.Pos, "variables make more than %d words of this file; expected fewer", maxTokens)
		}
		p.streams = append(p.streams, stream{toks: body})
	}
}

// second returns the token behind the next one, as it stands.
func (p *Parser) second() Token {
	p.peek()
	if s := &p.streams[len(p.streams)-1]; s.at+1 < len(s.toks) || s.fill(len(p.streams) == 1) {
		return s.toks[s.at+1]
	}
	return Token{}
}

func (p *Parser) take() Token {
	p.peek()
	return p.takeRaw()
}

// accept takes the next token if it is punctuation s.
func (p *Parser) accept(s string) bool {
	if p.peek().is(s) {
		p.take()
		return true
	}
	return false
}

func (p *Parser) acceptWord(w string) bool {
	if p.peek().word(w) {
		p.take()
		return true
	}
	return false
}

func (p *Parser) expect(s string) Token {
	if !p.peek().is(s) {
		p.expected("%q", s)
	}
	return p.take()
}

func (p *Parser) expectWord(what string) Token {
	if p.peek().Kind != TokenWord {
		p.expected("%s", what)
	}
	return p.take()
}

// skipBreaks passes line ends; nft allows them around the elements of a set.
func (p *Parser) skipBreaks() {
	for t := p.peek(); t.Kind == tokBreak && t.Text != ";"; t = p.peek() {
		p.take()
	}
}

// end takes the end of a statement.
func (p *Parser) end(after string) {
	switch t := p.peek(); {
	case t.Kind == tokBreak:
		p.take()
	case t.Kind == tokEOF || t.is("}"):
	default:
		p.expected("the end of the line or \";\" after %s", after)
	}
}

// common parses what may stand at any level: includes and variables.
func (p *Parser) common() bool {
	switch t := p.peek(); {
	case t.Kind == tokBreak:
		p.take()
	case t.word("include"):
		p.include()
	case t.word("define"), t.word("redefine"):
		p.define(t.Text == "redefine")
	case t.word("undefine"):
		p.take()
		name := p.expectWord("a variable's name")
		if _, ok := p.defines[name.Text]; !ok {
			p.Fail(name.Pos, "no variable is named %q; expected one that a `define` above makes", name.Text)
		}
		delete(p.defines, name.Text)
		p.end("the variable's name")
	default:
		return false
	}
	return true
}

// define keeps the tokens of a variable's value.
func (p *Parser) define(again bool) {
	p.take()
	name := p.expectWord("a variable's name")
	if _, dup := p.defines[name.Text]; dup && !again {
		p.Fail(name.Pos, "variable %q is defined already; expected another name, or `redefine`", name.Text)
	}
	p.expect("=")
	var body []Token
	for depth := p.depth; ; {
		t := p.peek()
		if t.Kind == tokEOF || p.depth <= depth && (t.Kind == tokBreak || t.is("}")) {
			break
		}
		p.take()
		if t.Kind != tokBreak {
			body = append(body, t)
		}
	}
	if len(body) == 0 {
		p.expected("the value of variable %q", name.Text)
	}
	p.defines[name.Text] = body
	p.end("the variable's value")
}
