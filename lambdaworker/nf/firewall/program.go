package firewall

import (
	"slices"

	"github.com/granule-nf/granule/ingress/packet"
)

// program is a ruleset made ready for packets. It is not changed by them.
type program struct {
	rules    []step // of every chain that packets can reach, each chain's in a row
	chains   []extentOfRules
	blocks   []extentOfRules // of each chain
	bases    []base
	counters []counterPlace
	limits   []*limitSpec
	shape    smallField
	src4     addr4Field
	dst4     addr4Field
	src6     *addr6Field
	dst6     *addr6Field
	sport    smallField
	dport    smallField
	layout   layout

	namedAt map[*namedCounter]int32 // index of each
	limitAt map[*limitSpec]int32

	tracks  bool // some rule asks for ct state
	rejects bool
}

// extentOfRules are the rules of a chain: from, and the first that is not of it.
type extentOfRules struct{ from, to int }

// base is a chain with a hook.
type base struct {
	chain  int
	kind   packet.Kind // NotIP: both
	policy verdictKind
}

// counterPlace is where the counter of a rule stands.
type counterPlace struct {
	file  string
	line  int
	start counterStart
}

// step is a rule, compiled. Rules that only count and decide, which is most of them, need nothing but simple.
type step struct {
	counter int32 // of a simple rule; -1: none
	verdict verdictKind
	simple  bool
	tests   bool // whether it asks for ct state
	ops     []compiledOp
}

// compiledOp is what is left of an op when its part in the classes is taken away.
type compiledOp struct {
	kind     opKind
	field    field
	verdict  verdictKind
	negate   bool
	index    int32 // of a counter, a limit, or a chain
	mask     u128
	one      span  // the values, where they are one span
	values   spans // else
	fields   []field
	elements []compiledElement
	log      *logSpec
	reject   rejectSpec
	pos      position
}

// compiledElement is an element of a set or map. Elements are sorted by where their first field begins.
type compiledElement struct {
	spans   []span
	reach   u128 // where the first field of this element or any before it ends at the latest
	order   int  // in the file
	verdict verdictKind
	chain   int32
}

// compile makes a program of the base chains, which resolve returned, and of all chains' counters.
func compile(set *ruleset, bases []*chain) *program {
	p := &program{}
	var order []*chain
	seen := map[*chain]bool{}
	var reach func(c *chain)
	reach = func(c *chain) {
		if seen[c] {
			return
		}
		seen[c] = true
		order = append(order, c)
		c.eachVerdict(func(v *verdict) {
			if v.chain != nil {
				reach(v.chain)
			}
		})
	}
	for _, c := range bases {
		reach(c)
	}
	n := 0
	for i, c := range order {
		c.index = i
		p.chains = append(p.chains, extentOfRules{n, n + len(c.rules)})
		n += len(c.rules)
	}
	for _, c := range bases {
		kind := [...]packet.Kind{familyInet: packet.NotIP, familyIP: packet.IPv4, familyIP6: packet.IPv6}[c.table.family]
		p.bases = append(p.bases, base{c.index, kind, c.policy})
	}
	p.rules = make([]step, n)
	w := wishes{keys: make([]ruleKey, n)}
	p.namedAt, p.limitAt = map[*namedCounter]int32{}, map[*limitSpec]int32{}
	for _, t := range set.tables {
		for _, c := range t.named {
			p.namedAt[c] = p.addCounter(c.pos, c.start)
		}
		for _, c := range t.chains {
			for i, r := range c.rules {
				if !seen[c] {
					p.unreached(r)
					continue
				}
				at := p.chains[c.index].from + i
				p.rules[at] = p.rule(at, r, &w)
			}
		}
	}
	p.layout, p.blocks = arrange(p.chains, w.keys)
	l := &p.layout
	p.shape = newSmallField(l, w.shapes(), shapes)
	p.src4, p.dst4 = newAddr4Field(l, w.of[ip4Src]), newAddr4Field(l, w.of[ip4Dst])
	p.src6, p.dst6 = newAddr6Field(l, w.of[ip6Src]), newAddr6Field(l, w.of[ip6Dst])
	p.sport, p.dport = newSmallField(l, w.of[transportSrc], 1<<16), newSmallField(l, w.of[transportDst], 1<<16)
	return p
}

func (p *program) unreached(r *rule) {
	for i := range r.ops {
		if r.ops[i].kind == opCounter && r.ops[i].named == nil {
			p.addCounter(r.pos, r.ops[i].counter)
		}
	}
}

func (p *program) addCounter(at position, start counterStart) int32 {
	p.counters = append(p.counters, counterPlace{at.file, at.line, start})
	return int32(len(p.counters) - 1)
}

// wishes are what all rules ask of the fields that have classes.
type wishes struct {
	of    [numFields][]wish
	proto []protoWish
	keys  []ruleKey
}

// protoWish is what a rule asks of both protocols.
type protoWish struct {
	rule   int
	l3, l4 spans // nil: nothing asked
}

func (w *wishes) shapes() []wish {
	var out []wish
	for _, x := range w.proto {
		l4 := x.l4
		if l4 == nil {
			l4 = spans{{u128{}, num(noL4)}}
		}
		var s spans
		for i, k := range []packet.Kind{packet.IPv4, packet.IPv6} {
			if x.l3 != nil && !x.l3.contains(num(nfprotoOf(k))) {
				continue
			}
			for _, v := range l4 {
				off := uint64(i * shapes / 2)
				s = append(s, span{num(v.lo.lo + off), num(v.hi.lo + off)})
			}
		}
		out = append(out, wish{x.rule, s.normal()})
	}
	return out
}

// rule compiles r, whose bit is at. Matches on classed fields that come before anything that must be counted become
// wishes; the rest is left in order.
func (p *program) rule(at int, r *rule, w *wishes) step {
	asks := map[field]spans{}
	ask := func(f field, s spans) {
		if have, ok := asks[f]; ok {
			s = have.intersect(s)
		}
		asks[f] = s
	}
	var s step
	ahead := true
	for i := range r.ops {
		o := &r.ops[i]
		switch {
		case o.kind == opMatch && ahead && classed(o):
			f := o.field
			if f == ip4Protocol {
				f = metaL4Proto // the implied match on IPv4 stands before it
			}
			ask(f, o.values)
			continue
		case o.kind != opMatch && o.kind != opConcat:
			ahead = false
		case o.kind == opConcat && ahead && !o.negate:
			// The elements' extent in each field narrows the candidates; the elements themselves are looked up.
			for k, f := range o.fields {
				m := op{kind: opMatch, field: f, mask: ones(fields[f].bits)}
				if classed(&m) && f != ip4Protocol {
					ask(f, column(o.elements, k))
				}
			}
		}
		if o.kind == opMap && len(o.fields) == 1 && onlyBefore(r.ops[:i]) {
			if m := (op{kind: opMatch, field: o.fields[0], mask: ones(fields[o.fields[0]].bits)}); classed(&m) && o.fields[0] != ip4Protocol {
				ask(o.fields[0], column(o.elements, 0))
			}
		}
		c := p.op(r, o)
		s.ops = append(s.ops, c)
		s.tests = s.tests || o.field == ctState && o.kind == opMatch || slices.Contains(o.fields, ctState)
	}
	p.tracks = p.tracks || s.tests
	var proto protoWish
	for f, v := range asks {
		w.keys[at].ask(f, v)
		switch f {
		case metaL4Proto:
			proto.l4 = orNone(v)
		case metaNFProto:
			proto.l3 = orNone(v)
		default:
			w.of[f] = append(w.of[f], wish{at, v})
		}
	}
	if proto.l3 != nil || proto.l4 != nil {
		proto.rule = at
		w.proto = append(w.proto, proto)
	}
	s.simplify()
	return s
}

// orNone tells the empty set from no set.
func orNone(s spans) spans {
	if s == nil {
		return spans{}
	}
	return s
}

// onlyBefore reports whether no op so far counts or decides.
func onlyBefore(ops []op) bool {
	for i := range ops {
		if ops[i].kind != opMatch && ops[i].kind != opConcat {
			return false
		}
	}
	return true
}

// classed reports whether a match is on a field with classes.
func classed(o *op) bool {
	switch o.field {
	case ip4Src, ip4Dst, ip6Src, ip6Dst, transportSrc, transportDst, metaL4Proto, metaNFProto, ip4Protocol:
		return o.mask == ones(fields[o.field].bits)
	}
	return false
}

func column(elements []element, k int) spans {
	s := make(spans, len(elements))
	for i, e := range elements {
		s[i] = e.spans[k]
	}
	return s.normal()
}

func (p *program) op(r *rule, o *op) compiledOp {
	c := compiledOp{kind: o.kind, field: o.field, mask: o.mask, negate: o.negate, fields: o.fields, log: o.log, reject: o.reject, pos: r.pos}
	switch o.kind {
	case opMatch:
		switch c.values = o.values; len(o.values) {
		case 0:
			c.one, c.values = span{num(1), num(0)}, nil // holds nothing
		case 1:
			c.one, c.values = o.values[0], nil
		}
	case opCounter:
		if o.named != nil {
			c.index = p.namedAt[o.named]
		} else {
			c.index = p.addCounter(r.pos, o.counter)
		}
	case opLimit:
		at, shared := p.limitAt[o.limit]
		if !shared {
			at = int32(len(p.limits))
			p.limitAt[o.limit] = at
			p.limits = append(p.limits, o.limit)
		}
		c.index = at
	case opReject:
		p.rejects = true
	case opVerdict:
		c.verdict, c.index = o.verdict.kind, chainIndex(&o.verdict)
	case opConcat, opMap:
		for i := range o.elements {
			e := &o.elements[i]
			order := i
			if e.rest {
				order = len(o.elements)
			}
			c.elements = append(c.elements, compiledElement{spans: e.spans, order: order, verdict: e.verdict.kind, chain: chainIndex(&e.verdict)})
		}
		slices.SortStableFunc(c.elements, func(a, b compiledElement) int { return a.spans[0].lo.cmp(b.spans[0].lo) })
		var reach u128
		for i := range c.elements {
			if hi := c.elements[i].spans[0].hi; hi.cmp(reach) > 0 {
				reach = hi
			}
			c.elements[i].reach = reach
		}
	}
	return c
}

func chainIndex(v *verdict) int32 {
	if v.chain == nil {
		return 0
	}
	return int32(v.chain.index)
}

// simplify turns `[counter] [verdict]` into a simple step.
func (s *step) simplify() {
	s.counter = -1
	ops := s.ops
	if len(ops) > 0 && ops[0].kind == opCounter {
		s.counter = ops[0].index
		ops = ops[1:]
	}
	switch {
	case len(ops) == 0:
		s.simple, s.verdict = true, goOn
	case len(ops) == 1 && ops[0].kind == opVerdict && (ops[0].verdict == accept || ops[0].verdict == drop || ops[0].verdict == goOn):
		s.simple, s.verdict = true, ops[0].verdict
	}
}
