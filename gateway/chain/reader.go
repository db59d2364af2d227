package chain

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// reader walks the syntax tree of a configuration and collects everything that is wrong with it. It stands on the tree
// and not on the YAML decoder, which stops at the first mistake and knows no place for a value's meaning.
type reader struct {
	file     string
	lines    []string
	text     string
	problems nf.Problems
}

func newReader(file string, text []byte) *reader {
	r := &reader{file: file}
	s, err := decodeText(text)
	if err != nil {
		r.problem(nil, "%v", err)
	}
	r.text = strings.ReplaceAll(s, "\r\n", "\n")
	r.lines = strings.Split(r.text, "\n")
	return r
}

// parse returns the tree of the one document, or nil after it has noted why there is none.
func (r *reader) parse() ast.Node {
	if len(r.problems) > 0 || !r.bounded() {
		return nil
	}
	// Duplicate keys are found by pairs, which goes on to the next mistake.
	f, err := r.syntax()
	if err != nil {
		var e yaml.Error
		if errors.As(err, &e) && e.GetToken() != nil {
			r.problem(e.GetToken(), "this is no YAML: %s", e.GetMessage())
		} else {
			r.problem(nil, "this is no YAML: %v", err)
		}
		return nil
	}
	var root ast.Node
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			r.problem(first(d.Body), "found a second document; expected one: take the line of dashes out")
			return nil
		}
		root = d.Body
	}
	if root == nil {
		r.problem(nil, "the file is empty; expected at least a list `chains`")
	}
	return root
}

// syntax contains the parser's panics: it is not hardened, and a configuration is input.
func (r *reader) syntax() (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return parser.ParseBytes([]byte(r.text), 0, parser.AllowDuplicateMapKey())
}

func (r *reader) problem(t *token.Token, format string, a ...any) {
	r.problems = append(r.problems, r.place(t).Problem(format, a...))
}

func (r *reader) place(t *token.Token) Place {
	p := Place{File: r.file, Line: 1, Column: 1}
	if t != nil && t.Position != nil {
		p.Line, p.Column = max(t.Position.Line, 1), max(t.Position.Column, 1)
	}
	return p
}

// pair is a key of a mapping with its value.
type pair struct {
	name  string
	key   *token.Token
	value ast.Node
}

// pairs returns the entries of a mapping, each key once. what says what was expected, for the error where n is none.
func (r *reader) pairs(n ast.Node, what string) (ps []pair, ok bool) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.problem(first(n), "found %s; expected %s", kind(n), what)
		return nil, false
	}
	seen := map[string]Place{}
	for _, v := range values {
		k, plain := v.Key.(*ast.StringNode)
		if !plain {
			r.problem(v.Key.GetToken(), "found %s as a key; expected a word", kind(v.Key))
			continue
		}
		if at, dup := seen[k.Value]; dup {
			r.problem(k.GetToken(), "key %q is there twice, first on line %d; expected it once: take one of them out", k.Value, at.Line)
			continue
		}
		seen[k.Value] = r.place(k.GetToken())
		ps = append(ps, pair{k.Value, k.GetToken(), v.Value})
	}
	return ps, true
}

// list returns the elements of a sequence.
func (r *reader) list(n ast.Node, what string) (values []ast.Node, ok bool) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.problem(first(n), "found %s; expected %s", kind(n), what)
		return nil, false
	}
	return s.Values, true
}

// word returns a string value and its token.
func (r *reader) word(n ast.Node, what string) (s string, t *token.Token, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, n.GetToken(), true
	case *ast.LiteralNode:
		return n.Value.Value, n.GetToken(), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		t := n.GetToken()
		r.problem(t, "found %s, %s; expected %s: put it in quotes", kind(n), t.Value, what)
		return "", nil, false
	}
	r.problem(first(n), "found %s; expected %s", kind(n), what)
	return "", nil, false
}

// plain returns any scalar as it is written.
func plain(n ast.Node) (s string, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// first returns the first token of a node; the tree names a block mapping by the colon of its first pair.
func first(n ast.Node) *token.Token {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	}
	return n.GetToken()
}

// kind names a node as a person would.
func kind(n ast.Node) string {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.AliasNode, *ast.AnchorNode:
		return "an anchor or alias (not supported here)"
	case *ast.TagNode:
		return "a tag (not supported here)"
	default:
		return "a " + strings.ToLower(n.Type().String())
	}
}
