package nft

import (
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// inSetMatch parses a set behind a single field.
func (p *Parser) inSetMatch(r *ruleset.Rule, m ruleset.Op, ref FieldRef, not bool) {
	info := ruleset.Fields[ref.Field]
	if p.peek().is("@") {
		s, at := p.setName()
		i := len(r.Ops)
		r.Ops = append(r.Ops, m)
		t := p.Table
		p.deferred = append(p.deferred, func() {
			elements := p.resolveSet(t, r, s, at, []ruleset.Field{ref.Field}, false)
			r.Ops[i].Values = elementSpans(elements, info.Bits, not)
		})
		return
	}
	elements := p.elementList([]ruleset.Datatype{info.Kind}, false, nil, nil)
	m.Values = elementSpans(elements, info.Bits, not)
	r.Ops = append(r.Ops, m)
}

func elementSpans(elements []ruleset.Element, bits int, not bool) ruleset.Spans {
	s := make(ruleset.Spans, len(elements))
	for i, e := range elements {
		s[i] = e.Spans[0]
		if e.CatchAll {
			return ruleset.Spans{{Hi: ruleset.Ones(bits)}} // the kernel asks for the rest after the negation, so that it matches then too
		}
	}
	s = s.Normal()
	if not {
		s = s.Complement(ruleset.Ones(bits))
	}
	return s
}

func (p *Parser) setName() (string, ruleset.Pos) {
	p.expect("@")
	t := p.expectWord("a set's name")
	return t.Text, t.Pos
}

// resolveSet returns the elements of a named set, once the whole file has been read.
func (p *Parser) resolveSet(t *ruleset.Table, r *ruleset.Rule, name string, at ruleset.Pos, of []ruleset.Field, verdicts bool) []ruleset.Element {
	s := t.Sets[name]
	if s == nil {
		p.Fail(at, "no set of table %s is named %q", t.Name, name)
	}
	s.Used = true
	if s.Opaque {
		r.Diagnostics = append(r.Diagnostics, s.Diagnostics...)
		return nil
	}
	if s.Verdicts != verdicts {
		p.Fail(at, "%q is a %s; expected a %s", name, mapOrSet(s.Verdicts), mapOrSet(verdicts))
	}
	ok := len(s.Fields) == len(of)
	for i := 0; ok && i < len(of); i++ {
		ok = s.Fields[i] == ruleset.Fields[of[i]].Kind
	}
	if !ok {
		p.Fail(at, "set %q holds elements of another type (%s); expected a set of %s", name, s.TypeName, ruleset.Fields[of[0]].Kind)
	}
	r.Diagnostics = append(r.Diagnostics, s.Diagnostics...)
	return s.Elements
}

func mapOrSet(m bool) string {
	if m {
		return "map of verdicts"
	}
	return "set"
}

// lookup parses what follows a concatenation, or a field before vmap.
func (p *Parser) lookup(r *ruleset.Rule, refs []FieldRef, mask ruleset.U128) {
	o := ruleset.Op{Kind: ruleset.OpConcat, Pos: refs[0].Pos, Mask: mask}
	kinds := make([]ruleset.Datatype, len(refs))
	for i, ref := range refs {
		o.Fields = append(o.Fields, ref.Field)
		kinds[i] = ruleset.Fields[ref.Field].Kind
	}
	verdicts := p.acceptWord("vmap")
	if verdicts {
		o.Kind = ruleset.OpMap
	} else if !p.accept("==") {
		o.Negate = p.accept("!=")
	}
	if p.peek().is("@") {
		s, at := p.setName()
		i := len(r.Ops)
		r.Ops = append(r.Ops, o)
		t := p.Table
		p.deferred = append(p.deferred, func() {
			r.Ops[i].Elements = p.resolveSet(t, r, s, at, r.Ops[i].Fields, verdicts)
			r.Ops[i].ResolveNegation()
		})
		return
	}
	if !p.peek().is("{") {
		p.expected("a set in braces or @name")
	}
	o.Elements = p.elementList(kinds, verdicts, nil, nil)
	o.ResolveNegation()
	if verdicts && len(kinds) == 1 {
		p.checkOverlap(o.Elements, true)
	}
	r.Ops = append(r.Ops, o)
}
