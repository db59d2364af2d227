package nft

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// include reads other files in place. Their names count from the folder of the file that includes them; a pattern stands for the files that it
// matches, in the order of their names, and may match none, as in nft.
func (p *Parser) include() {
	p.take()
	t := p.peek()
	if t.Kind != TokenString {
		p.expected("a file's name in quotes")
	}
	p.take()
	p.end("the file's name")
	name := t.Text
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(t.Pos.File), name)
	}
	names := []string{name}
	if strings.ContainsAny(name, "*?[") {
		if p.source.Glob == nil {
			p.Fail(t.Pos, "include of the pattern %q: there is no folder to look through here; expected one include for each file", name)
		}
		var err error
		if names, err = p.source.Glob(name); err != nil {
			p.Fail(t.Pos, "include of the pattern %q: %v", name, err)
		}
	}
	depth := 0
	for _, s := range p.streams {
		depth = max(depth, s.depth)
	}
	if depth++; depth >= maxIncludes {
		p.Fail(t.Pos, "include of %q: files are nested %d deep; expected at most %d", name, depth+1, maxIncludes)
	}
	for _, n := range slices.Backward(names) { // the last one opened is read first
		p.includeFile(t.Pos, n, depth)
	}
}

func (p *Parser) includeFile(at ruleset.Pos, name string, depth int) {
	for _, s := range p.streams {
		if s.file == name {
			p.Fail(at, "include of %q: that file is being read already; expected no file to include itself", name)
		}
	}
	src, err := p.source.Open(name)
	if err == nil {
		err = p.text(src)
	}
	if err != nil {
		p.Fail(at, "include of %q: %v", name, err)
	}
	if _, ok := startsRules(name, src); !ok {
		p.Fail(at, "include of %q: that is no rule file, since it begins no statement of nftables", name)
	}
	p.streams = append(p.streams, stream{file: name, depth: depth, lex: newLexer(name, string(src), p.Problem)})
}

var errBinary = errors.New("that is no text; expected a rule file")

// text notes the length of a file and refuses what can't be read as text.
func (p *Parser) text(src []byte) error {
	if p.bytes += len(src); p.bytes > maxBytes {
		return fmt.Errorf("with it there are more than %d MiB of rule files; expected fewer", maxBytes>>20)
	}
	if bytes.ContainsFunc(src[:min(len(src), 4096)], func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' }) {
		return errBinary
	}
	return nil
}

// statements are the words that a rule file or a part of one can begin with, beside those of matches.
var statements = strings.Fields(`table add create insert flush delete destroy include define redefine undefine list reset chain set map counter limit quota ct
	flowtable synproxy secmark comment type typeof flags elements timeout gc-interval size policy auto-merge device devices
	accept drop reject return jump goto continue log`)

// startsRules reports whether a file begins as rule files do, and with what. Of one that does not, a key or a list of accounts named by mistake, no
// more is shown to anybody.
func startsRules(name string, src []byte) (t Token, ok bool) {
	l := newLexer(name, string(src[:min(len(src), 64<<10)]), func(ruleset.Pos, string, ...any) {})
	t = l.next()
	for t.Kind == tokBreak {
		t = l.next()
	}
	return t, t.Kind == tokEOF || t.is("$") || t.is("@") || t.is("}") || t.Kind == TokenWord && (startsMatch(t) || slices.Contains(statements, t.Text) || slices.Contains(unsupportedWords, t.Text))
}
