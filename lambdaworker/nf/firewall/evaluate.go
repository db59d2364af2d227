package firewall

import (
	"math/bits"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// count is a rule's counter.
type count struct{ packets, bytes uint64 }

// selection is the rows of one packet: the rules that can match are their AND.
type selection struct {
	shape, src, dst, sport, dport []uint64
}

func (p *program) classify(v *view, s *selection) {
	s.shape = p.shape.row(p.shape.class[v.shape()])
	if v.p.Kind == packet.IPv4 {
		h := v.data[v.p.L3 : v.p.L3+20]
		s.src = p.src4.row(p.src4.lookup(be32(h[12:])))
		s.dst = p.dst4.row(p.dst4.lookup(be32(h[16:])))
	} else {
		h := v.data[v.p.L3 : v.p.L3+40]
		s.src = p.src6.row(p.src6.lookup(h[8:24]))
		s.dst = p.dst6.row(p.dst6.lookup(h[24:40]))
	}
	c := p.sport.absent
	if v.sport >= 0 {
		c = p.sport.class[v.sport]
	}
	s.sport = p.sport.row(c)
	c = p.dport.absent
	if v.dport >= 0 {
		c = p.dport.class[v.dport]
	}
	s.dport = p.dport.row(c)
}

func be32(b []byte) uint32 {
	return uint32(b[3]) | uint32(b[2])<<8 | uint32(b[1])<<16 | uint32(b[0])<<24
}

// next returns the first rule of pos..end-1 that can match, or -1.
func (s *selection) next(l *layout, pos, end int) int {
	if pos >= end {
		return -1
	}
	n := len(s.shape)
	a, b, c, d, e := s.shape, s.src[:n], s.dst[:n], s.sport[:n], s.dport[:n]
	word, last := pos>>6, (end-1)>>6
	// The word of pos is looked at by itself: rules before pos are not wanted.
	i := l.summary + word
	if w := a[i] & b[i] & c[i] & d[i] & e[i] >> (pos & 63) << (pos & 63); w != 0 {
		if r := word<<6 + bits.TrailingZeros64(w); r < end {
			return r
		}
		return -1
	}
	for word++; word <= last; {
		k := word >> 6
		sum := a[k] & b[k] & c[k] & d[k] & e[k] >> (word & 63) << (word & 63)
		for ; sum != 0; sum &= sum - 1 {
			word = k<<6 + bits.TrailingZeros64(sum)
			if word > last {
				return -1
			}
			i := l.summary + word
			if w := a[i] & b[i] & c[i] & d[i] & e[i]; w != 0 {
				if r := word<<6 + bits.TrailingZeros64(w); r < end {
					return r
				}
				return -1
			}
		}
		word = (k + 1) << 6
	}
	return -1
}

// frame is a chain that waits for the one it jumped to.
type frame struct{ pos, end int }

// evaluate runs a packet through the base chains and returns its verdict: accept, drop or reject.
func (f *Firewall) evaluate(b *nf.Batch, i uint16, v *view) nf.Verdict {
	p := f.program
	var s selection
	p.classify(v, &s)
	for k := range p.bases {
		c := &p.bases[k]
		if c.kind != packet.NotIP && c.kind != v.p.Kind {
			continue
		}
		if d := f.chain(b, i, v, &s, c); d != nf.Pass {
			return d
		}
	}
	return nf.Pass
}

func (f *Firewall) chain(b *nf.Batch, i uint16, v *view, s *selection, c *base) nf.Verdict {
	p := f.program
	var stack [maxDepth]frame
	depth := 0
	at := p.chains[c.chain]
	pos, end := at.from, at.to
	for {
		r := s.next(&p.layout, pos, end)
		if r < 0 {
			if depth == 0 {
				break
			}
			depth--
			pos, end = stack[depth].pos, stack[depth].end
			continue
		}
		pos = r + 1
		rule := &p.rules[r]
		var d verdictKind
		var target int32
		if rule.simple {
			if rule.counter >= 0 {
				f.count(rule.counter, v)
			}
			d = rule.verdict
		} else {
			d, target = f.run(b, i, v, rule)
		}
		switch d {
		case accept:
			return nf.Pass
		case drop:
			if rule.tests && v.state == ctInvalid {
				return nf.DropInvalid
			}
			return nf.DropRule
		case reject:
			return nf.DropReject
		case jump:
			stack[depth] = frame{pos, end}
			depth++
			pos, end = p.chains[target].from, p.chains[target].to
		case gotoChain:
			pos, end = p.chains[target].from, p.chains[target].to
		case returnFrom:
			pos = end
		}
	}
	if c.policy == drop {
		return nf.DropPolicy
	}
	return nf.Pass
}

// run does the ops of a rule until one does not match or decides.
func (f *Firewall) run(b *nf.Batch, i uint16, v *view, rule *step) (verdictKind, int32) {
	for k := range rule.ops {
		o := &rule.ops[k]
		switch o.kind {
		case opMatch:
			f.depend(o.field)
			x, ok := v.load(o.field)
			if !ok || !o.holds(x.and(o.mask)) {
				return goOn, 0
			}
		case opCounter:
			f.count(o.index, v)
		case opVerdict:
			return o.verdict, o.index
		case opLimit:
			f.mark(depAlways)
			if !f.limits[o.index].take(b.Packets[i].Time, v.p.IPLen) {
				return goOn, 0
			}
		case opLog:
			f.mark(depAlways)
			f.logEvent(b, i, o)
		case opReject:
			f.mark(depAlways)
			f.reject(b, i, v, &o.reject)
			return reject, 0
		case opConcat:
			if e := f.find(v, o); (e != nil) == o.negate || e == errAbsent {
				return goOn, 0
			}
		case opMap:
			if e := f.find(v, o); e != nil && e != errAbsent {
				return e.verdict, e.chain
			}
			return goOn, 0
		}
	}
	return goOn, 0
}

// holds reports whether x is among the values of a match.
func (o *compiledOp) holds(x u128) bool {
	if o.values == nil {
		return o.one.contains(x)
	}
	return o.values.contains(x)
}

// errAbsent stands for the element of a packet that lacks one of the fields: the rule does not match, negated or not.
var errAbsent = &compiledElement{}

// find returns the element that holds the packet's fields, nil if none does.
func (f *Firewall) find(v *view, o *compiledOp) *compiledElement {
	var x [maxConcat]u128
	for k, fl := range o.fields {
		f.depend(fl)
		var ok bool
		if x[k], ok = v.load(fl); !ok {
			return errAbsent
		}
	}
	if len(o.fields) == 1 {
		lo, hi := 0, len(o.elements)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if o.elements[mid].spans[0].hi.cmp(x[0]) < 0 {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo < len(o.elements) && o.elements[lo].spans[0].contains(x[0]) {
			return &o.elements[lo]
		}
		return nil
	}
next:
	for k := range o.elements {
		e := &o.elements[k]
		for j := range e.spans {
			if !e.spans[j].contains(x[j]) {
				continue next
			}
		}
		return e
	}
	return nil
}
