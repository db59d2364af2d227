package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"sort"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// jsonNode is a JSON value with its place in the file, which encoding/json alone does not tell.
type jsonNode struct {
	pos     ruleset.Pos
	value   any // nil, bool, string or json.Number
	members []jsonMember
	items   []*jsonNode
	kind    string // "an object", "a list", "a string", "a number", "a boolean", "null"
}

type jsonMember struct {
	name string
	pos  ruleset.Pos
	node *jsonNode
}

// jsonReader builds a tree.
type jsonReader struct {
	*nft.Parser
	file  string
	src   []byte
	lines []int // where each line begins
	dec   *json.Decoder
}

// readJSON reads src, the text of file; a problem ends the statement that p guards.
func readJSON(p *nft.Parser, file string, src []byte) *jsonNode {
	r := &jsonReader{Parser: p, file: file, src: src, lines: []int{0}, dec: json.NewDecoder(bytes.NewReader(src))}
	for i, c := range src {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	r.dec.UseNumber()
	n := r.node(0)
	if at := r.start(); at < len(src) {
		p.Fail(r.at(at), "found more behind the end of the JSON value; expected the end of the file")
	}
	return n
}

func (r *jsonReader) at(offset int) ruleset.Pos {
	i := sort.SearchInts(r.lines, offset+1) - 1
	return ruleset.Pos{File: r.file, Line: i + 1, Col: offset - r.lines[i] + 1}
}

// start is where the next token begins.
func (r *jsonReader) start() int {
	at := int(r.dec.InputOffset())
	for at < len(r.src) && bytes.IndexByte([]byte(" \t\r\n,:"), r.src[at]) >= 0 {
		at++
	}
	return at
}

func (r *jsonReader) token() json.Token {
	at := r.start()
	t, err := r.dec.Token()
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = max(int(syntax.Offset)-1, 0)
		}
		r.Fail(r.at(min(at, len(r.src))), "no JSON: %v", err)
	}
	return t
}

// maxJSONDepth bounds recursion; rule groups are seven levels deep.
const maxJSONDepth = 32

func (r *jsonReader) node(depth int) *jsonNode {
	n := &jsonNode{pos: r.at(r.start())}
	if depth > maxJSONDepth {
		r.Fail(n.pos, "values are nested more than %d deep", maxJSONDepth)
	}
	t := r.token()
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			n.kind = "an object"
			for r.dec.More() {
				m := jsonMember{pos: r.at(r.start())}
				m.name, _ = r.token().(string)
				m.node = r.node(depth + 1)
				for _, other := range n.members {
					if other.name == m.name {
						r.Fail(m.pos, "%q stands here twice", m.name)
					}
				}
				n.members = append(n.members, m)
			}
		} else {
			n.kind = "a list"
			for r.dec.More() {
				n.items = append(n.items, r.node(depth+1))
			}
		}
		r.token()
	case string:
		n.kind, n.value = "a string", v
	case json.Number:
		n.kind, n.value = "a number", v
	case bool:
		n.kind, n.value = "a boolean", v
	default:
		n.kind = "null"
	}
	return n
}
