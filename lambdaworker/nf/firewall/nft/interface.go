package nft

import (
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// interfaceName takes the name of an interface, quoted or not, with a `*` at its end for every name that begins so. The wire has two
// ports; a name may stand for either or, with a `*`, for both.
func (p *Parser) interfaceName() ruleset.Span {
	t := p.peek()
	if t.Kind != TokenWord && t.Kind != TokenString {
		p.expected("%s", ruleset.TypeIfname)
	}
	p.take()
	name := t.Text
	if n := p.peek(); n.is("*") && !n.space && t.Kind == TokenWord {
		p.take()
		name += "*"
	}
	return p.InterfacesNamed(t.Pos, name, "*")
}

// InterfacesNamed finds the ports that name stands for; wild at its end makes it the beginning of names.
func (p *Parser) InterfacesNamed(at ruleset.Pos, name, wild string) ruleset.Span {
	stem, many := strings.CutSuffix(name, wild)
	if !many {
		v, ok := p.ifaces[name]
		if !ok {
			v = p.unknownInterface(at, name)
		}
		return ruleset.Span{Lo: ruleset.Num(v), Hi: ruleset.Num(v)}
	}
	var found []uint64
	for known, v := range p.ifaces {
		if strings.HasPrefix(known, stem) {
			found = append(found, v)
		}
	}
	slices.Sort(found)
	switch {
	case len(found) == 0:
		v := p.unknownInterface(at, name)
		return ruleset.Span{Lo: ruleset.Num(v), Hi: ruleset.Num(v)}
	case found[0] == 0 && slices.Contains(found, 1):
		return ruleset.Span{Lo: ruleset.Num(0), Hi: ruleset.Num(1)}
	}
	return ruleset.Span{Lo: ruleset.Num(found[0]), Hi: ruleset.Num(found[0])} // names on no side match nothing: one is as good as all
}

// unknownInterface returns a number for an interface that is no port of the wire: nothing arrives or leaves by it. That is a fact
// about lo, and a mistake about any other in a chain that packets pass; in other chains it says nothing.
func (p *Parser) unknownInterface(at ruleset.Pos, name string) uint64 {
	v, ok := p.unknown[name]
	if !ok {
		v = uint64(len(p.ifaces) + len(p.unknown) + 2)
		p.unknown[name] = v
	}
	if name == "lo" {
		p.Diagnose(ruleset.Diagnostic{Pos: at, Reached: ruleset.Warn, Message: `the interface "lo" is no port of the wire; this matches no packet`})
	} else {
		p.Diagnose(ruleset.Diagnostic{Pos: at, Reached: ruleset.Refuse, Message: "found the interface " + quoted(name) + "; expected inside, outside or a name that the option " +
			"interfaces puts on a side: {" + strings.TrimRight(name, "*+") + ": inside}, outside, or none if nothing here passes it"})
	}
	return v
}

func quoted(s string) string { return `"` + s + `"` }
