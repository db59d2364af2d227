package nf

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// options decodes the options of one function of a bundle, with places in the file they were cut from.
type options struct {
	from   BundleNF
	shift  int // columns to add: where the text lost its indentation
	source string
	root   ast.Node // nil where there are no options
}

func parseOptions(f BundleNF) (*options, error) {
	o := &options{from: f, source: f.Options}
	if pad := f.Column - 1; pad > 0 {
		if dedented(f.Options, pad) {
			o.shift = pad
		} else {
			o.source = strings.Repeat(" ", pad) + f.Options // so that columns are those of the file
		}
	}
	file, err := parser.ParseBytes([]byte(o.source), 0)
	if err != nil {
		return nil, o.translate(err)
	}
	if len(file.Docs) > 1 {
		return nil, f.problem("options of %s are several documents; expected one mapping", f.Name)
	}
	if len(file.Docs) == 1 {
		o.root = file.Docs[0].Body
	}
	switch n := o.root.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		o.root = nil
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		return nil, o.at(n.GetToken(), fmt.Sprintf("options of %s are a %s; expected a mapping, such as {key: value}", f.Name, kind(n)))
	}
	return o, nil
}

// dedented reports whether lines after the first stand further left than a block mapping at column pad+1 allows.
func dedented(text string, pad int) bool {
	if strings.HasPrefix(text, "{") {
		return false // in braces indentation means nothing
	}
	_, rest, _ := strings.Cut(text, "\n")
	for line := range strings.SplitSeq(rest, "\n") {
		if t := strings.TrimLeft(line, " "); t != "" && t[0] != '#' && len(line)-len(t) < pad {
			return true
		}
	}
	return false
}

// Decode implements Options.
func (o *options) Decode(v any) error {
	if o.root == nil {
		return nil
	}
	var ps Problems
	o.check(o.root, reflect.TypeOf(v), &ps)
	if len(ps) > 0 {
		return ps
	}
	if err := yaml.UnmarshalWithOptions([]byte(o.source), v, yaml.Strict()); err != nil {
		return o.translate(err)
	}
	return nil
}

// check finds keys that the struct does not have and keys without a value. The decoder would stop at the first and not
// say what it expected.
func (o *options) check(n ast.Node, t reflect.Type, ps *Problems) {
	for t.Kind() == reflect.Pointer {
		if decodesItself(t) {
			return
		}
		t = t.Elem()
	}
	if decodesItself(reflect.PointerTo(t)) {
		return
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		o.check(n.Value, t, ps)
	case *ast.TagNode:
		o.check(n.Value, t, ps)
	case *ast.SequenceNode:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			for _, v := range n.Values {
				o.check(v, t.Elem(), ps)
			}
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		for _, kv := range pairs(n) {
			name := keyName(kv.Key)
			var element reflect.Type
			switch t.Kind() {
			case reflect.Struct:
				known := map[string]reflect.Type{}
				fieldsOf(t, known)
				var ok bool
				if element, ok = known[name]; !ok {
					if kv.Key.IsMergeKey() {
						continue
					}
					*ps = append(*ps, o.at(kv.Key.GetToken(), fmt.Sprintf("unknown key %q; expected one of %s", name, keyList(known))))
					continue
				}
			case reflect.Map:
				element = t.Elem()
			default:
				return // a mapping where something else belongs: the decoder says so
			}
			if _, null := kv.Value.(*ast.NullNode); null {
				*ps = append(*ps, o.at(kv.Key.GetToken(), fmt.Sprintf("key %q has no value; give one or leave the key out", name)))
				continue
			}
			o.check(kv.Value, element, ps)
		}
	}
}

// Pos implements Options. key is a path such as "rules", "vars.address.HOME_NET" or "rules[1]"; of a path that is
// not there the place of its nearest parent is returned.
func (o *options) Pos(key string) (file string, line, column int) {
	n, here := o.root, o.root
	for _, part := range strings.FieldsFunc(key, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		n = childOf(n, part)
		if n == nil {
			break
		}
		here = n
	}
	if here == nil || here == o.root {
		return o.from.File, o.from.Line, o.from.Column
	}
	p := o.at(startOf(here), "")
	return p.File, p.Line, p.Column
}

// translate turns what the decoder says into a Problem at its place in the file.
func (o *options) translate(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) {
		return o.from.problem("options of %s: %v", o.from.Name, err)
	}
	return o.at(e.GetToken(), e.GetMessage())
}

// at makes a Problem at the place of token t.
func (o *options) at(t *token.Token, message string) Problem {
	p := o.from.problem("%s", message)
	if t != nil && t.Position != nil {
		p.Line = max(o.from.Line, 1) + t.Position.Line - 1
		p.Column = t.Position.Column + o.shift
	}
	return p
}

func childOf(n ast.Node, name string) ast.Node {
	if s, ok := n.(*ast.SequenceNode); ok {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(s.Values) {
			return s.Values[i]
		}
		return nil
	}
	for _, kv := range pairs(n) {
		if keyName(kv.Key) == name {
			return kv.Value
		}
	}
	return nil
}

// startOf returns the first token of a value; that of a block mapping is the colon of its first pair.
func startOf(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	}
	return n.GetToken()
}

func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func keyName(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return k.String()
}

func kind(n ast.Node) string { return strings.ToLower(n.Type().String()) }

func keyList(known map[string]reflect.Type) string {
	if len(known) == 0 {
		return "no keys at all"
	}
	var names []string
	for k := range known {
		names = append(names, k)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// fieldsOf collects the keys of struct t with their types, by the decoder's rules.
func fieldsOf(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if strings.Contains(rest, "inline") {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				fieldsOf(inner, into)
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		into[name] = f.Type
	}
}

var decoders = []reflect.Type{
	reflect.TypeFor[yaml.BytesUnmarshaler](), reflect.TypeFor[yaml.BytesUnmarshalerContext](),
	reflect.TypeFor[yaml.InterfaceUnmarshaler](), reflect.TypeFor[yaml.InterfaceUnmarshalerContext](),
	reflect.TypeFor[yaml.NodeUnmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
}

func decodesItself(t reflect.Type) bool {
	for _, d := range decoders {
		if t.Implements(d) {
			return true
		}
	}
	return false
}
