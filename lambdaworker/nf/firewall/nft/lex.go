package nft

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

type tokenKind uint8

const (
	tokEOF   tokenKind = iota
	tokBreak           // newline or semicolon
	TokenWord
	tokNumber // starts with a digit: also 10.0.0.1, 0x1f, 5s
	tokAddr6
	tokEther
	TokenString
	tokPunct
)

// Token is a word, number, string or mark of a file, and where it stands.
type Token struct {
	Kind  tokenKind
	Text  string
	Pos   ruleset.Pos
	space bool // white space stands before it
}

func (t Token) is(punct string) bool { return t.Kind == tokPunct && t.Text == punct }
func (t Token) word(w string) bool   { return t.Kind == TokenWord && t.Text == w }

// Found says what a token is, for a message.
func (t Token) Found() string {
	switch t.Kind {
	case tokEOF:
		return "the end of the file"
	case tokBreak:
		if t.Text == ";" {
			return `";"`
		}
		return "the end of the line"
	case TokenString:
		return fmt.Sprintf("the string %q", t.Text)
	}
	return fmt.Sprintf("%q", t.Text)
}

// lexer cuts nft text into tokens. What it can't read becomes a punctuation token that no rule expects.
type lexer struct {
	src      string
	at       int
	line     int
	lineFrom int
	file     string
	problem  func(ruleset.Pos, string, ...any)
}

// newLexer cuts src, the text of file.
func newLexer(file, src string, problem func(ruleset.Pos, string, ...any)) *lexer {
	return &lexer{src: src, file: file, line: 1, problem: problem}
}

// lex returns the tokens of src, the last of them tokEOF.
func lex(file, src string, problem func(ruleset.Pos, string, ...any)) (toks []Token) {
	l := newLexer(file, src, problem)
	for {
		t := l.next()
		if toks = append(toks, t); t.Kind == tokEOF {
			return toks
		}
	}
}

func (l *lexer) pos() ruleset.Pos {
	return ruleset.Pos{File: l.file, Line: l.line, Col: l.at - l.lineFrom + 1}
}

func (l *lexer) newline() {
	l.line++
	l.lineFrom = l.at
}

// skip passes blanks, comments and escaped line ends, and reports whether there were any.
func (l *lexer) skip() bool {
	from := l.at
	for l.at < len(l.src) {
		switch c := l.src[l.at]; {
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
		case c == '#':
			for l.at < len(l.src) && l.src[l.at] != '\n' {
				l.at++
			}
		case c == '\\' && strings.HasPrefix(l.src[l.at:], "\\\n"):
			l.at += 2
			l.newline()
		case c == '\\' && strings.HasPrefix(l.src[l.at:], "\\\r\n"):
			l.at += 3
			l.newline()
		default:
			return l.at > from
		}
	}
	return l.at > from
}

var punctuation = []string{"!=", "==", "<=", ">=", "<<", ">>", "{", "}", "(", ")", ",", ":", "/", "-", "+", "=", "<", ">", "!", "&", "|", "^", "@", "$", ".", "*"}

func (l *lexer) next() Token {
	space := l.skip()
	t := Token{Pos: l.pos(), space: space}
	if l.at >= len(l.src) {
		return t
	}
	rest := l.src[l.at:]
	take := func(k tokenKind, n int) Token {
		t.Kind, t.Text = k, rest[:n]
		l.at += n
		return t
	}
	switch c := rest[0]; {
	case c == '\n':
		take(tokBreak, 1)
		l.newline()
		return t
	case c == ';':
		return take(tokBreak, 1)
	case c == '"':
		end := strings.IndexAny(rest[1:], "\"\n")
		if end < 0 || rest[1+end] == '\n' {
			l.problem(t.Pos, "a string starts here and does not end on its line; expected a closing \"")
			if end < 0 {
				end = len(rest) - 1
			}
			t = take(TokenString, 1+end)
			t.Text = t.Text[1:]
			return t
		}
		take(TokenString, end+2)
		t.Text = rest[1 : 1+end]
		return t
	}
	if n := etherLen(rest); n > 0 {
		return take(tokEther, n)
	}
	if n := addr6Len(rest); n > 0 {
		return take(tokAddr6, n)
	}
	switch c := rest[0]; {
	case isDigit(c):
		return take(tokNumber, runLen(rest, func(c byte) bool { return isDigit(c) || isLetter(c) || c == '.' }))
	case isLetter(c) || c == '_':
		return take(TokenWord, runLen(rest, func(c byte) bool {
			return isDigit(c) || isLetter(c) || c == '_' || c == '-' || c == '.' || c == '/'
		}))
	}
	for _, p := range punctuation {
		if strings.HasPrefix(rest, p) {
			return take(tokPunct, len(p))
		}
	}
	n := 1
	for n < len(rest) && rest[n] >= 0x80 {
		n++
	}
	return take(tokPunct, n)
}

func runLen(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// etherLen returns the length of the Ethernet address that s starts with, 0 if it starts with none.
func etherLen(s string) int {
	const n = len("02:00:00:00:00:01")
	if len(s) < n || len(s) > n && (s[n] == ':' && len(s) > n+1 && isHex(s[n+1]) || isHex(s[n])) {
		return 0
	}
	for i := range n {
		if colon := i%3 == 2; colon != (s[i] == ':') || !colon && !isHex(s[i]) {
			return 0
		}
	}
	return n
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// addr6Len returns the length of the IPv6 address that s starts with, 0 if it starts with none. A colon that ends it
// without being part of "::" belongs to what follows, as in a map.
func addr6Len(s string) int {
	n := runLen(s, func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' || c == ':' || c == '.' })
	if n < 2 || strings.Count(s[:n], ":") < 2 {
		return 0
	}
	if n < len(s) && (isLetter(s[n]) || s[n] == '_') {
		// "face::accept": the run ends inside a word; no address is followed by a letter.
		return 0
	}
	for ; n > 1; n-- {
		if _, err := netip.ParseAddr(s[:n]); err == nil {
			return n
		}
		if s[n-1] != ':' {
			break
		}
	}
	return 0
}
