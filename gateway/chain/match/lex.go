package match

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // a keyword or a name
	tokenNumber           // 80, 0x50, 0120
	tokenQuad             // 10.1.2.3, or shortened: 10.1
	tokenSix              // an IPv6 address
	tokenMAC
	tokenOp
)

// token is a piece of an expression.
type token struct {
	kind    tokenKind
	text    string
	offset  int
	escaped bool // written with a backslash: a name even where it is a keyword
}

// String names the token for an error.
func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end of the expression"
	}
	return fmt.Sprintf("%q", t.text)
}

var (
	wordShape   = regexp.MustCompile(`^[A-Za-z0-9]([-_.A-Za-z0-9]*[.A-Za-z0-9])?`)
	numberShape = regexp.MustCompile(`^(0[xX][0-9a-fA-F]+|[0-9]+)$`)
	quadShape   = regexp.MustCompile(`^[0-9]{1,10}(\.[0-9]{1,10}){1,3}$`)
	sixShape    = regexp.MustCompile(`^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*`)
	macShape    = regexp.MustCompile(`^([0-9A-Fa-f]{1,2}[:.-]){5}[0-9A-Fa-f]{1,2}`)
	operators   = []string{"<<", ">>", "<=", ">=", "==", "!=", "&&", "||"}
)

// maxTokens keeps the parser's recursion and its backtracking small, whatever is written.
const maxTokens = 4096

func lex(text string) (tokens []token, err *Error) {
	for i := 0; ; {
		for i < len(text) && strings.IndexByte(" \t\r\n", text[i]) >= 0 {
			i++
		}
		if i == len(text) {
			return append(tokens, token{kind: tokenEnd, offset: i}), nil
		}
		if len(tokens) == maxTokens {
			return nil, &Error{i, fmt.Sprintf("the expression is too long; expected at most %d words and signs", maxTokens)}
		}
		t, size := next(text[i:])
		if size == 0 {
			r := []rune(text[i:])[0]
			return nil, &Error{i, fmt.Sprintf("found %q; expected a word, a number, an address or an operator", r)}
		}
		t.offset = i
		tokens = append(tokens, t)
		i += size
	}
}

func next(s string) (token, int) {
	if m := macShape.FindString(s); m != "" && !wordGoesOn(s[len(m):]) {
		return token{kind: tokenMAC, text: m}, len(m)
	}
	if m := sixShape.FindString(s); m != "" && !wordGoesOn(s[len(m):]) {
		if _, err := netip.ParseAddr(m); err == nil {
			return token{kind: tokenSix, text: m}, len(m)
		}
	}
	if s[0] == '\\' {
		if m := wordShape.FindString(s[1:]); m != "" {
			return token{kind: tokenWord, text: m, escaped: true}, len(m) + 1
		}
		return token{}, 0
	}
	if m := wordShape.FindString(s); m != "" {
		kind := tokenWord
		switch {
		case numberShape.MatchString(m):
			kind = tokenNumber
		case quadShape.MatchString(m):
			kind = tokenQuad
		}
		return token{kind: kind, text: m}, len(m)
	}
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return token{kind: tokenOp, text: op}, len(op)
		}
	}
	if strings.IndexByte("()[]:!&|^+-*/%<>=", s[0]) >= 0 {
		return token{kind: tokenOp, text: s[:1]}, 1
	}
	return token{}, 0
}

func wordGoesOn(s string) bool { return s != "" && wordShape.MatchString(s[:1]) }
