package chain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// source returns the text of a mapping as it stands in the file, from its first character to its last.
func (r *reader) source(n ast.Node) string {
	end := len(r.text)
	if next := lastToken(n).Next; next != nil {
		for next.Type == token.CommentType && next.Next != nil {
			next = next.Next
		}
		if next.Type != token.CommentType {
			end = r.offset(next.Position.Line, next.Position.Column)
		}
	}
	start := r.offset(first(n).Position.Line, first(n).Position.Column)
	if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle && m.End != nil {
		end = r.offset(m.End.Position.Line, m.End.Position.Column) + 1
	}
	return strings.TrimRightFunc(r.text[start:max(start, end)], unicode.IsSpace)
}

// offset turns a place, in characters, into an offset into the text, in bytes.
func (r *reader) offset(line, column int) int {
	at := 0
	for _, l := range r.lines[:min(line-1, len(r.lines))] {
		at += len(l) + 1
	}
	if line <= len(r.lines) {
		for i := range r.lines[line-1] {
			if column--; column == 0 {
				return at + i
			}
		}
		at += len(r.lines[line-1])
	}
	return min(at, len(r.text))
}

// inside returns the place of byte i of the scalar s that token t stands for. YAML folds lines and takes indentation
// away, so s is laid beside the text again; where escapes make the two differ, the place is that of the token.
func (r *reader) inside(t *token.Token, s string, i int) Place {
	at := r.offset(t.Position.Line, t.Position.Column)
	switch t.Type {
	case token.DoubleQuoteType, token.SingleQuoteType:
		at++
	case token.LiteralType, token.FoldedType:
		if n := strings.IndexByte(r.text[at:], '\n'); n >= 0 {
			at += n + 1
		}
		at += blanks(r.text[at:]) // the indentation
	}
	for s = s[:min(i, len(s))]; ; {
		rest := strings.TrimLeftFunc(s, unicode.IsSpace)
		if len(rest) < len(s) {
			at += blanks(r.text[at:])
		}
		if rest == "" {
			break
		}
		want, n := utf8.DecodeRuneInString(rest)
		got, m := utf8.DecodeRuneInString(r.text[at:])
		if want != got {
			return r.place(t)
		}
		s, at = rest[n:], at+m
	}
	line := strings.Count(r.text[:at], "\n") + 1
	begin := strings.LastIndexByte(r.text[:at], '\n') + 1
	return Place{File: r.file, Line: line, Column: utf8.RuneCountInString(r.text[begin:at]) + 1}
}

// blanks is how many bytes of white space s begins with.
func blanks(s string) int { return len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace)) }

// lastToken returns the token that ends n: the one furthest down the file, closing brackets included.
func lastToken(n ast.Node) *token.Token {
	l := &last{token: n.GetToken()}
	ast.Walk(l, n)
	return l.token
}

type last struct{ token *token.Token }

// Visit implements ast.Visitor.
func (l *last) Visit(n ast.Node) ast.Visitor {
	l.take(n.GetToken())
	switch n := n.(type) {
	case *ast.MappingNode:
		l.take(n.End)
	case *ast.SequenceNode:
		l.take(n.End)
	}
	return l
}

func (l *last) take(t *token.Token) {
	if t == nil || t.Position == nil {
		return
	}
	at, best := t.Position, l.token.Position
	if at.Line > best.Line || at.Line == best.Line && at.Column > best.Column {
		l.token = t
	}
}
