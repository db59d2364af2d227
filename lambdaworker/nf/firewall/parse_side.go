package firewall

import (
	"slices"
	"strings"
)

// side takes the name of an interface, quoted or not, with a `*` at its end for every name that begins so. The wire has two
// ports; a name may stand for either or, with a `*`, for both.
func (p *parser) side() span {
	t := p.peek()
	if t.kind != tokWord && t.kind != tokString {
		p.expected("%s", sideName)
	}
	p.take()
	name := t.text
	if n := p.peek(); n.is("*") && !n.space && t.kind == tokWord {
		p.take()
		name += "*"
	}
	return p.sidesNamed(t.pos, name, "*")
}

// sidesNamed finds the ports that name stands for; wild at its end makes it the beginning of names.
func (p *parser) sidesNamed(at position, name, wild string) span {
	stem, many := strings.CutSuffix(name, wild)
	if !many {
		v, ok := p.sides[name]
		if !ok {
			v = p.noPort(at, name)
		}
		return span{num(v), num(v)}
	}
	var found []uint64
	for known, v := range p.sides {
		if strings.HasPrefix(known, stem) {
			found = append(found, v)
		}
	}
	slices.Sort(found)
	switch {
	case len(found) == 0:
		v := p.noPort(at, name)
		return span{num(v), num(v)}
	case found[0] == 0 && slices.Contains(found, 1):
		return span{num(0), num(1)}
	}
	return span{num(found[0]), num(found[0])} // names on no side match nothing: one is as good as all
}

// noPort returns a number for an interface that is no port of the wire: nothing arrives or leaves by it. That is a fact
// about lo, and a mistake about any other in a chain that packets pass; in other chains it says nothing.
func (p *parser) noPort(at position, name string) uint64 {
	v, ok := p.absent[name]
	if !ok {
		v = uint64(len(p.sides) + len(p.absent) + 2)
		p.absent[name] = v
	}
	if name == "lo" {
		p.remark(remark{at: at, running: warned, text: `the interface "lo" is no port of the wire; this matches no packet`})
	} else {
		p.remark(remark{at: at, running: refused, text: "found the interface " + quoted(name) + "; expected inside, outside or a name that the option " +
			"interfaces puts on a side: {" + strings.TrimRight(name, "*+") + ": inside}, outside, or none if nothing here passes it"})
	}
	return v
}

func quoted(s string) string { return `"` + s + `"` }
