package firewall

import (
	"math/bits"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// count is a rule's counter.
type count struct{ packets, bytes uint64 }

// selection is the rows of one packet, and the rules of one block that are in all of them.
type selection struct {
	shape, src, dst, sport, dport []head
	srcRows, dstRows              *rows

	block, last int    // the block that found is of, and the chain's last one
	some        uint64 // words of found that hold something
	found       [64]uint64
}

func (p *program) classify(v *view, s *selection) {
	s.shape = p.shape.row(p.shape.class[v.shape()])
	if v.p.Kind == packet.IPv4 {
		h := v.data[v.p.L3 : v.p.L3+20]
		s.src = p.src4.row(p.src4.lookup(be32(h[12:])))
		s.dst = p.dst4.row(p.dst4.lookup(be32(h[16:])))
		s.srcRows, s.dstRows = &p.src4.rows, &p.dst4.rows
	} else {
		h := v.data[v.p.L3 : v.p.L3+40]
		s.src = p.src6.row(p.src6.lookup(h[8:24]))
		s.dst = p.dst6.row(p.dst6.lookup(h[24:40]))
		s.srcRows, s.dstRows = &p.src6.rows, &p.dst6.rows
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

// enter makes ready for the rules of a chain from pos on.
func (p *program) enter(s *selection, chain int32, pos int) {
	of := p.blocks[chain]
	s.block, s.last, s.some = of.from, of.to-1, 0
	if s.block > s.last {
		return
	}
	for b := &p.layout.blocks[s.block]; pos >= b.first+b.rules; b = &p.layout.blocks[s.block] {
		if s.block++; s.block > s.last {
			return
		}
	}
	p.collect(s)
	if skip := pos - p.layout.blocks[s.block].first; skip > 0 {
		s.some &^= 1<<(skip>>6) - 1
		if w := skip >> 6; s.some>>w&1 != 0 {
			if s.found[w] = s.found[w] >> (skip & 63) << (skip & 63); s.found[w] == 0 {
				s.some &^= 1 << w
			}
		}
	}
}

// collect finds the rules of the current block that the packet's rows have in common, in the order of rules.
func (p *program) collect(s *selection) {
	k := s.block
	shape, src, dst, sport, dport := &s.shape[k], &s.src[k], &s.dst[k], &s.sport[k], &s.dport[k]
	s.some = 0
	b := &p.layout.blocks[k]
	for words := shape.some & src.some & dst.some & sport.some & dport.some; words != 0; words &= words - 1 {
		w := bits.TrailingZeros64(words)
		x := s.srcRows.word(src, w) & s.dstRows.word(dst, w)
		if x == 0 {
			continue
		}
		x &= p.dport.word(dport, w) & p.shape.word(shape, w) & p.sport.word(sport, w)
		if w == len(b.back)/64-1 {
			x &= b.valid(w)
		}
		for ; x != 0; x &= x - 1 {
			i := b.back[w<<6|bits.TrailingZeros64(x)]
			at := i >> 6
			if s.some>>at&1 == 0 {
				s.some |= 1 << at
				s.found[at] = 0
			}
			s.found[at] |= 1 << (i & 63)
		}
	}
}

// next returns the next rule that can match, or -1 at the chain's end.
func (p *program) next(s *selection) int {
	for s.some == 0 {
		if s.block >= s.last {
			return -1
		}
		s.block++
		p.collect(s)
	}
	w := bits.TrailingZeros64(s.some)
	x := s.found[w]
	i := w<<6 | bits.TrailingZeros64(x)
	if s.found[w] = x & (x - 1); s.found[w] == 0 {
		s.some &= s.some - 1
	}
	return p.layout.blocks[s.block].first + i
}

// frame is a chain that waits for the one it jumped to, and the rule it goes on with.
type frame struct {
	chain int32
	pos   int
}

// evaluate runs a packet through the base chains and returns its verdict: accept, drop or reject.
func (f *Firewall) evaluate(b *nf.Batch, i uint16, v *view) nf.Verdict {
	p := f.program
	s := &f.selection
	p.classify(v, s)
	for k := range p.bases {
		c := &p.bases[k]
		if c.kind != packet.NotIP && c.kind != v.p.Kind {
			continue
		}
		if d := f.chain(b, i, v, s, c); d != nf.Pass {
			return d
		}
	}
	return nf.Pass
}

func (f *Firewall) chain(b *nf.Batch, i uint16, v *view, s *selection, c *base) nf.Verdict {
	p := f.program
	stack := &f.stack
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
			stack[depth] = frame{chain, r + 1}
			depth++
			chain = target
			p.enter(s, chain, p.chains[chain].from)
		case gotoChain:
			chain = target
			p.enter(s, chain, p.chains[chain].from)
		case returnFrom:
			s.some, s.block = 0, s.last
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
			e := f.find(v, o)
			if e == nil || e == errAbsent {
				return goOn, 0
			}
			if e.verdict != goOn {
				return e.verdict, e.chain
			}
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
	// Elements that begin behind the value can't hold it; going down from there ends where none reaches up to it.
	lo, hi := 0, len(o.elements)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); o.elements[mid].spans[0].lo.cmp(x[0]) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	var found *compiledElement
next:
	for k := lo - 1; k >= 0 && o.elements[k].reach.cmp(x[0]) >= 0; k-- {
		e := &o.elements[k]
		for j := range e.spans {
			if !e.spans[j].contains(x[j]) {
				continue next
			}
		}
		if found == nil || e.order < found.order {
			found = e
		}
	}
	return found
}
