package program

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Machine runs packets through a program and keeps what the rules count and limit. It is used by one goroutine.
type Machine struct {
	Program *Program
	Counts  []Count
	Limits  []Bucket // those of the rules, then what its owner adds
	Path    Path     // of the packet that is being judged
	Actions Actions

	selection selection
	stack     [ruleset.MaxDepth]frame
}

// Actions are done for rules that do more than judge.
type Actions interface {
	Logged(b *nf.Batch, i uint16, o *CompiledOp)
	Rejected(b *nf.Batch, i uint16, v *View, spec *ruleset.RejectWith)
	SetMark(b *nf.Batch, i uint16, mark uint32) // of the packet's connection
}

// Count is a rule's counter.
type Count struct{ Packets, Bytes uint64 }

// Add counts p, its bytes from the network header.
func (c *Count) Add(p *nf.Packet) {
	c.Packets++
	c.Bytes += uint64(p.IPLen)
}

// count counts a packet and notes that it did.
func (m *Machine) count(at int32, v *View) {
	m.Counts[at].Add(v.Packet)
	if m.Path.N < PathCounters {
		m.Path.Counters[m.Path.N] = at
	}
	m.Path.N = min(m.Path.N+1, PathCounters+1)
}

// frame is a chain that waits for the one it jumped to, and the rule it goes on with.
type frame struct {
	chain int32
	pos   int
}

// Evaluate runs a packet through the base chains and returns its verdict: accept, drop or reject.
func (m *Machine) Evaluate(b *nf.Batch, i uint16, v *View) nf.Verdict {
	p := m.Program
	s := &m.selection
	p.classify(v, s)
	for k := range p.bases {
		c := &p.bases[k]
		if c.kind != packet.NotIP && c.kind != v.Packet.Kind {
			continue
		}
		if d := m.chain(b, i, v, s, c); d != nf.Pass {
			return d
		}
	}
	return nf.Pass
}

func (m *Machine) chain(b *nf.Batch, i uint16, v *View, s *selection, c *base) nf.Verdict {
	p := m.Program
	stack := &m.stack
	depth := 0
	chain := int32(c.chain)
	p.enter(s, chain, p.chains[chain].from)
	for {
		r := p.next(s)
		if r < 0 {
			if depth == 0 {
				break
			}
			depth--
			chain = stack[depth].chain
			p.enter(s, chain, stack[depth].pos)
			continue
		}
		rule := &p.rules[r]
		var d ruleset.VerdictKind
		var target int32
		if rule.simple {
			if rule.counter >= 0 {
				m.count(rule.counter, v)
			}
			d = rule.verdict
		} else {
			d, target = m.run(b, i, v, rule)
		}
		switch d {
		case ruleset.Accept:
			return nf.Pass
		case ruleset.Drop:
			if rule.tests && v.State == conntrack.StateInvalid {
				return nf.DropInvalid
			}
			return nf.DropRule
		case ruleset.Reject:
			return nf.DropReject
		case ruleset.Jump:
			stack[depth] = frame{chain, r + 1}
			depth++
			chain = target
			p.enter(s, chain, p.chains[chain].from)
		case ruleset.Goto:
			chain = target
			p.enter(s, chain, p.chains[chain].from)
		case ruleset.Return:
			s.some, s.block = 0, s.last
		}
	}
	if c.policy == ruleset.Drop {
		return nf.DropPolicy
	}
	return nf.Pass
}

// run does the ops of a rule until one does not match or decides.
func (m *Machine) run(b *nf.Batch, i uint16, v *View, rule *step) (ruleset.VerdictKind, int32) {
	for k := range rule.ops {
		o := &rule.ops[k]
		switch o.kind {
		case ruleset.OpMatch:
			m.depend(o.field)
			x, ok := v.Load(o.field)
			if !ok || !o.holds(x.And(o.mask)) {
				return ruleset.Continue, 0
			}
		case ruleset.OpCounter:
			m.count(o.index, v)
		case ruleset.OpVerdict:
			return o.verdict, o.index
		case ruleset.OpLimit:
			m.mark(DepAlways)
			if !m.Limits[o.index].Take(b.Packets[i].Time, v.Packet.IPLen) {
				return ruleset.Continue, 0
			}
		case ruleset.OpLog:
			m.mark(DepAlways)
			m.Actions.Logged(b, i, o)
		case ruleset.OpSet:
			m.set(b, i, v, o)
		case ruleset.OpReject:
			m.mark(DepAlways)
			m.Actions.Rejected(b, i, v, &o.reject)
			return ruleset.Reject, 0
		case ruleset.OpConcat:
			if e := m.find(v, o); (e != nil) == o.negate || e == errAbsent {
				return ruleset.Continue, 0
			}
		case ruleset.OpMap:
			e := m.find(v, o)
			if e == nil || e == errAbsent {
				return ruleset.Continue, 0
			}
			if e.verdict != ruleset.Continue {
				return e.verdict, e.chain
			}
		}
	}
	return ruleset.Continue, 0
}

// set gives the packet or its connection a mark.
func (m *Machine) set(b *nf.Batch, i uint16, v *View, o *CompiledOp) {
	var x ruleset.U128
	if o.from != 0 {
		m.depend(o.from)
		x, _ = v.Load(o.from)
	}
	mark := uint32(x.And(o.mask).Xor(o.xor).Lo)
	if o.field == ruleset.MetaMark {
		v.Mark = mark
		return
	}
	m.mark(DepAlways)
	v.Conn.Mark = mark
	m.Actions.SetMark(b, i, mark)
}

// holds reports whether x is among the values of a match.
func (o *CompiledOp) holds(x ruleset.U128) bool {
	if o.values == nil {
		return o.one.Contains(x)
	}
	return o.values.Contains(x)
}

// errAbsent stands for the element of a packet that lacks one of the fields: the rule does not match, negated or not.
var errAbsent = &compiledElement{}

// find returns the element that holds the packet's fields, nil if none does.
func (m *Machine) find(v *View, o *CompiledOp) *compiledElement {
	var x [ruleset.MaxConcat]ruleset.U128
	for k, fl := range o.fields {
		m.depend(fl)
		var ok bool
		if x[k], ok = v.Load(fl); !ok {
			return errAbsent
		}
		if o.mask != (ruleset.U128{}) {
			x[k] = x[k].And(o.mask)
		}
	}
	// Elements that begin behind the value can't hold it; going down from there ends where none reaches up to it.
	lo, hi := 0, len(o.elements)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); o.elements[mid].spans[0].Lo.Cmp(x[0]) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	var found *compiledElement
next:
	for k := lo - 1; k >= 0 && o.elements[k].reach.Cmp(x[0]) >= 0; k-- {
		e := &o.elements[k]
		for j := range e.spans {
			if !e.spans[j].Contains(x[j]) {
				continue next
			}
		}
		if found == nil || e.order < found.order {
			found = e
		}
	}
	return found
}
