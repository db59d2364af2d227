package firewall

// inSetMatch parses a set behind a single field.
func (p *parser) inSetMatch(r *rule, m op, ref fieldRef, not bool) {
	info := fields[ref.field]
	if p.peek().is("@") {
		s, at := p.setName()
		i := len(r.ops)
		r.ops = append(r.ops, m)
		t := p.table
		p.later = append(p.later, func() {
			elements := p.resolveSet(t, r, s, at, []field{ref.field}, false)
			r.ops[i].values = elementSpans(elements, info.bits, not)
		})
		return
	}
	elements := p.elementList([]datatype{info.kind}, false, nil, nil)
	m.values = elementSpans(elements, info.bits, not)
	r.ops = append(r.ops, m)
}

func elementSpans(elements []element, bits int, not bool) spans {
	s := make(spans, len(elements))
	for i, e := range elements {
		s[i] = e.spans[0]
		if e.rest {
			return spans{{hi: ones(bits)}} // the kernel asks for the rest after the negation, so that it matches then too
		}
	}
	s = s.normal()
	if not {
		s = s.complement(ones(bits))
	}
	return s
}

// settleNegation makes a negated lookup with a `*` one that always matches: the kernel asks for the rest after the negation.
func (o *op) settleNegation() {
	for i := range o.elements {
		if o.kind == opConcat && o.negate && o.elements[i].rest {
			o.negate, o.elements = false, o.elements[i:i+1:i+1]
			return
		}
	}
}

func (p *parser) setName() (string, position) {
	p.expect("@")
	t := p.expectWord("a set's name")
	return t.text, t.pos
}

// resolveSet returns the elements of a named set, once the whole file has been read.
func (p *parser) resolveSet(t *table, r *rule, name string, at position, of []field, verdicts bool) []element {
	s := t.sets[name]
	if s == nil {
		p.fail(at, "no set of table %s is named %q", t.name, name)
	}
	if s.verdicts != verdicts {
		p.fail(at, "%q is a %s; expected a %s", name, mapOrSet(s.verdicts), mapOrSet(verdicts))
	}
	ok := len(s.fields) == len(of)
	for i := 0; ok && i < len(of); i++ {
		ok = s.fields[i] == fields[of[i]].kind
	}
	if !ok {
		p.fail(at, "set %q holds elements of another type (%s); expected a set of %s", name, s.typeName, fields[of[0]].kind)
	}
	r.remarks = append(r.remarks, s.remarks...)
	return s.elements
}

func mapOrSet(m bool) string {
	if m {
		return "map of verdicts"
	}
	return "set"
}

// lookup parses what follows a concatenation, or a field before vmap.
func (p *parser) lookup(r *rule, refs []fieldRef) {
	o := op{kind: opConcat, pos: refs[0].pos}
	kinds := make([]datatype, len(refs))
	for i, ref := range refs {
		o.fields = append(o.fields, ref.field)
		kinds[i] = fields[ref.field].kind
	}
	verdicts := p.acceptWord("vmap")
	if verdicts {
		o.kind = opMap
	} else if !p.accept("==") {
		o.negate = p.accept("!=")
	}
	if p.peek().is("@") {
		s, at := p.setName()
		i := len(r.ops)
		r.ops = append(r.ops, o)
		t := p.table
		p.later = append(p.later, func() {
			r.ops[i].elements = p.resolveSet(t, r, s, at, r.ops[i].fields, verdicts)
			r.ops[i].settleNegation()
		})
		return
	}
	if !p.peek().is("{") {
		p.expected("a set in braces or @name")
	}
	o.elements = p.elementList(kinds, verdicts, nil, nil)
	o.settleNegation()
	if verdicts && len(kinds) == 1 {
		p.checkOverlap(o.elements, true)
	}
	r.ops = append(r.ops, o)
}
