// Package program compiles a ruleset and runs packets through it. Matches on addresses, ports and protocols become classes of values, each with a row of the rules
// that accept it (class); a packet's rows ANDed leave the rules that can match (select), which run in order (machine).
package program

import (
	"context"
	"slices"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Program is a ruleset made ready for packets. It is not changed by them.
type Program struct {
	rules    []step // of every chain that packets can reach, each chain's in a row
	chains   []extent
	blocks   []extent // of each chain
	bases    []base
	Counters []counterPlace
	Limits   []*ruleset.Limit
	shape    smallField
	src4     addr4Field
	dst4     addr4Field
	src6     *addr6Field
	dst6     *addr6Field
	sport    smallField
	dport    smallField
	layout   layout

	namedAt map[*ruleset.NamedCounter]int32 // index of each
	limitAt map[*ruleset.Limit]int32

	UsesConn bool // some rule asks for more of a connection than its state, or sets its mark
	Tracks   bool // some rule asks for ct state
	Rejects  bool
}

// extent are the rules of a chain: from, and the first that is not of it.
type extent struct{ from, to int }

// base is a chain with a hook.
type base struct {
	chain  int
	kind   packet.Kind // NotIP: both
	policy ruleset.VerdictKind
}

// counterPlace is where the counter of a rule stands.
type counterPlace struct {
	File  string
	Line  int
	Start ruleset.CounterStart
}

// step is a rule, compiled. Rules that only count and decide, which is most of them, need nothing but simple.
type step struct {
	counter int32 // of a simple rule; -1: none
	verdict ruleset.VerdictKind
	simple  bool
	tests   bool // whether it asks for ct state
	ops     []CompiledOp
}

// CompiledOp is what is left of an op when its part in the classes is taken away.
type CompiledOp struct {
	kind     ruleset.OpKind
	field    ruleset.Field
	verdict  ruleset.VerdictKind
	negate   bool
	from     ruleset.Field // of OpSet
	xor      ruleset.U128
	index    int32 // of a counter, a limit, or a chain
	mask     ruleset.U128
	one      ruleset.Span  // the values, where they are one span
	values   ruleset.Spans // else
	fields   []ruleset.Field
	elements []compiledElement
	Log      *ruleset.Log
	reject   ruleset.RejectWith
	Pos      ruleset.Pos
}

// compiledElement is an element of a set or map. Elements are sorted by where their first field begins.
type compiledElement struct {
	spans   []ruleset.Span
	reach   ruleset.U128 // where the first field of this element or any before it ends at the latest
	order   int          // in the file
	verdict ruleset.VerdictKind
	chain   int32
}

// Compile makes a program of the base chains, which Resolve returned, and of all chains' counters. The error is that of ctx, which may be nil.
func Compile(ctx context.Context, set *ruleset.Ruleset, bases []*ruleset.Chain) (*Program, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	p := &Program{}
	var order []*ruleset.Chain
	seen := map[*ruleset.Chain]bool{}
	var reach func(c *ruleset.Chain)
	reach = func(c *ruleset.Chain) {
		if seen[c] {
			return
		}
		seen[c] = true
		order = append(order, c)
		c.EachVerdict(func(v *ruleset.Verdict) {
			if v.Chain != nil {
				reach(v.Chain)
			}
		})
	}
	for _, c := range bases {
		reach(c)
	}
	n := 0
	for i, c := range order {
		c.Index = i
		p.chains = append(p.chains, extent{n, n + len(c.Rules)})
		n += len(c.Rules)
	}
	for _, c := range bases {
		kind := [...]packet.Kind{ruleset.FamilyInet: packet.NotIP, ruleset.FamilyIP: packet.IPv4, ruleset.FamilyIP6: packet.IPv6}[c.Table.Family]
		p.bases = append(p.bases, base{c.Index, kind, c.Policy})
	}
	p.rules = make([]step, n)
	w := constraints{keys: make([]ruleKey, n)}
	p.namedAt, p.limitAt = map[*ruleset.NamedCounter]int32{}, map[*ruleset.Limit]int32{}
	for _, t := range set.Tables {
		for _, c := range t.Named {
			p.namedAt[c] = p.addCounter(c.Pos, c.Start)
		}
		for _, c := range t.Chains {
			for i, r := range c.Rules {
				if !seen[c] {
					p.unreached(r)
					continue
				}
				at := p.chains[c.Index].from + i
				p.rules[at] = p.rule(at, r, &w)
			}
		}
	}
	p.layout, p.blocks = arrange(p.chains, w.keys)
	l := &p.layout
	for _, make := range []func(){
		func() { p.shape = newSmallField(l, w.shapes(), shapes) },
		func() { p.src4 = newAddr4Field(l, w.of[ruleset.IP4Src]) },
		func() { p.dst4 = newAddr4Field(l, w.of[ruleset.IP4Dst]) },
		func() { p.src6 = newAddr6Field(l, w.of[ruleset.IP6Src]) },
		func() { p.dst6 = newAddr6Field(l, w.of[ruleset.IP6Dst]) },
		func() { p.sport = newSmallField(l, w.of[ruleset.TransportSrc], 1<<16) },
		func() { p.dport = newSmallField(l, w.of[ruleset.TransportDst], 1<<16) },
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		make()
	}
	return p, nil
}

func (p *Program) unreached(r *ruleset.Rule) {
	for i := range r.Ops {
		if r.Ops[i].Kind == ruleset.OpCounter && r.Ops[i].Named == nil {
			p.addCounter(r.Pos, r.Ops[i].Counter)
		}
	}
}

func (p *Program) addCounter(at ruleset.Pos, start ruleset.CounterStart) int32 {
	p.Counters = append(p.Counters, counterPlace{at.File, at.Line, start})
	return int32(len(p.Counters) - 1)
}

// constraints are what all rules ask of the fields that have classes.
type constraints struct {
	of    [ruleset.NumFields][]constraint
	proto []protoConstraint
	keys  []ruleKey
}

// protoConstraint is what a rule asks of both protocols.
type protoConstraint struct {
	rule   int
	l3, l4 ruleset.Spans // nil: nothing asked
}

func (w *constraints) shapes() []constraint {
	var out []constraint
	for _, x := range w.proto {
		l4 := x.l4
		if l4 == nil {
			l4 = ruleset.Spans{{Lo: ruleset.U128{}, Hi: ruleset.Num(noL4)}}
		}
		var s ruleset.Spans
		for i, k := range []packet.Kind{packet.IPv4, packet.IPv6} {
			if x.l3 != nil && !x.l3.Contains(ruleset.Num(ruleset.NFProtoOf(k))) {
				continue
			}
			for _, v := range l4 {
				off := uint64(i * shapes / 2)
				s = append(s, ruleset.Span{Lo: ruleset.Num(v.Lo.Lo + off), Hi: ruleset.Num(v.Hi.Lo + off)})
			}
		}
		out = append(out, constraint{x.rule, s.Normal()})
	}
	return out
}

// rule compiles r, whose bit is at. Matches on classed fields that come before anything that must be counted become
// constraints; the rest is left in order.
func (p *Program) rule(at int, r *ruleset.Rule, w *constraints) step {
	asks := map[ruleset.Field]ruleset.Spans{}
	ask := func(f ruleset.Field, s ruleset.Spans) {
		if have, ok := asks[f]; ok {
			s = have.Intersect(s)
		}
		asks[f] = s
	}
	var s step
	ahead := true
	for i := range r.Ops {
		o := &r.Ops[i]
		switch {
		case o.Kind == ruleset.OpMatch && ahead && classed(o):
			f := o.Field
			if f == ruleset.IP4Protocol {
				f = ruleset.MetaL4Proto // the implied match on IPv4 stands before it
			}
			ask(f, o.Values)
			continue
		case o.Kind != ruleset.OpMatch && o.Kind != ruleset.OpConcat:
			ahead = false
		case o.Kind == ruleset.OpConcat && ahead && !o.Negate && o.Mask == (ruleset.U128{}):
			// The elements' extent in each field narrows the candidates; the elements themselves are looked up.
			for k, f := range o.Fields {
				m := ruleset.Op{Kind: ruleset.OpMatch, Field: f, Mask: ruleset.Ones(ruleset.Fields[f].Bits)}
				if classed(&m) && f != ruleset.IP4Protocol {
					ask(f, column(o.Elements, k))
				}
			}
		}
		if o.Kind == ruleset.OpMap && len(o.Fields) == 1 && o.Mask == (ruleset.U128{}) && onlyBefore(r.Ops[:i]) {
			if m := (ruleset.Op{Kind: ruleset.OpMatch, Field: o.Fields[0], Mask: ruleset.Ones(ruleset.Fields[o.Fields[0]].Bits)}); classed(&m) && o.Fields[0] != ruleset.IP4Protocol {
				ask(o.Fields[0], column(o.Elements, 0))
			}
		}
		if o.Kind == ruleset.OpMatch && o.Field == ruleset.CTStatus && o.Mask.Lo&^translated == 0 {
			if o.Values.Contains(ruleset.U128{}) {
				continue // no connection is translated here: always true
			}
			s.ops = append(s.ops, CompiledOp{kind: ruleset.OpMatch, field: ruleset.MetaNFProto, one: ruleset.Span{Lo: ruleset.Num(1)}, Pos: r.Pos})
			continue
		}
		c := p.op(r, o)
		s.ops = append(s.ops, c)
		for _, f := range append([]ruleset.Field{o.Field, o.From}, o.Fields...) {
			p.UsesConn = p.UsesConn || f == ruleset.CTStatus || f == ruleset.CTDirection || f == ruleset.CTMark
		}
		s.tests = s.tests || o.Field == ruleset.CTState && o.Kind == ruleset.OpMatch || slices.Contains(o.Fields, ruleset.CTState)
	}
	p.Tracks = p.Tracks || s.tests || p.UsesConn
	var proto protoConstraint
	for f, v := range asks {
		w.keys[at].ask(f, v)
		switch f {
		case ruleset.MetaL4Proto:
			proto.l4 = orNone(v)
		case ruleset.MetaNFProto:
			proto.l3 = orNone(v)
		default:
			w.of[f] = append(w.of[f], constraint{at, v})
		}
	}
	if proto.l3 != nil || proto.l4 != nil {
		proto.rule = at
		w.proto = append(w.proto, proto)
	}
	s.simplify()
	return s
}

// translated are the bits of `ct status` that stand for a translation of addresses, which the firewall never makes.
const translated = 16 | 32

// orNone tells the empty set from no set.
func orNone(s ruleset.Spans) ruleset.Spans {
	if s == nil {
		return ruleset.Spans{}
	}
	return s
}

// onlyBefore reports whether no op so far counts or decides.
func onlyBefore(ops []ruleset.Op) bool {
	for i := range ops {
		if ops[i].Kind != ruleset.OpMatch && ops[i].Kind != ruleset.OpConcat {
			return false
		}
	}
	return true
}

// classed reports whether a match is on a field with classes.
func classed(o *ruleset.Op) bool {
	switch o.Field {
	case ruleset.IP4Src, ruleset.IP4Dst, ruleset.IP6Src, ruleset.IP6Dst, ruleset.TransportSrc, ruleset.TransportDst, ruleset.MetaL4Proto, ruleset.MetaNFProto, ruleset.IP4Protocol:
		return o.Mask == ruleset.Ones(ruleset.Fields[o.Field].Bits)
	}
	return false
}

func column(elements []ruleset.Element, k int) ruleset.Spans {
	s := make(ruleset.Spans, len(elements))
	for i, e := range elements {
		s[i] = e.Spans[k]
	}
	return s.Normal()
}

func (p *Program) op(r *ruleset.Rule, o *ruleset.Op) CompiledOp {
	c := CompiledOp{kind: o.Kind, field: o.Field, mask: o.Mask, negate: o.Negate, fields: o.Fields, Log: o.Log, reject: o.Reject, Pos: r.Pos}
	switch o.Kind {
	case ruleset.OpMatch:
		switch c.values = o.Values; len(o.Values) {
		case 0:
			c.one, c.values = ruleset.Span{Lo: ruleset.Num(1), Hi: ruleset.Num(0)}, nil // holds nothing
		case 1:
			c.one, c.values = o.Values[0], nil
		}
	case ruleset.OpCounter:
		if o.Named != nil {
			c.index = p.namedAt[o.Named]
		} else {
			c.index = p.addCounter(r.Pos, o.Counter)
		}
	case ruleset.OpLimit:
		at, shared := p.limitAt[o.Limit]
		if !shared {
			at = int32(len(p.Limits))
			p.limitAt[o.Limit] = at
			p.Limits = append(p.Limits, o.Limit)
		}
		c.index = at
	case ruleset.OpSet:
		c.from, c.xor = o.From, o.Xor
		p.UsesConn = p.UsesConn || o.Field == ruleset.CTMark || o.From == ruleset.CTMark
	case ruleset.OpReject:
		p.Rejects = true
	case ruleset.OpVerdict:
		c.verdict, c.index = o.Verdict.Kind, chainIndex(&o.Verdict)
	case ruleset.OpConcat, ruleset.OpMap:
		for i := range o.Elements {
			e := &o.Elements[i]
			order := i
			if e.CatchAll {
				order = len(o.Elements)
			}
			c.elements = append(c.elements, compiledElement{spans: e.Spans, order: order})
			if last := &c.elements[len(c.elements)-1]; e.Verdict != nil {
				last.verdict, last.chain = e.Verdict.Kind, chainIndex(e.Verdict)
			}
		}
		slices.SortStableFunc(c.elements, func(a, b compiledElement) int { return a.spans[0].Lo.Cmp(b.spans[0].Lo) })
		var reach ruleset.U128
		for i := range c.elements {
			if hi := c.elements[i].spans[0].Hi; hi.Cmp(reach) > 0 {
				reach = hi
			}
			c.elements[i].reach = reach
		}
	}
	return c
}

func chainIndex(v *ruleset.Verdict) int32 {
	if v.Chain == nil {
		return 0
	}
	return int32(v.Chain.Index)
}

// simplify turns `[counter] [verdict]` into a simple step.
func (s *step) simplify() {
	s.counter = -1
	ops := s.ops
	if len(ops) > 0 && ops[0].kind == ruleset.OpCounter {
		s.counter = ops[0].index
		ops = ops[1:]
	}
	switch {
	case len(ops) == 0:
		s.simple, s.verdict = true, ruleset.Continue
	case len(ops) == 1 && ops[0].kind == ruleset.OpVerdict && (ops[0].verdict == ruleset.Accept || ops[0].verdict == ruleset.Drop || ops[0].verdict == ruleset.Continue):
		s.simple, s.verdict = true, ops[0].verdict
	}
}
