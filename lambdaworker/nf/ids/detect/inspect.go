package detect

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/match"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/pcre"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// inspector evaluates the items of a section over a buffer, with Suricata's search: an item whose successor counts from its end
// is tried at every place where it matches, until the successors match too.
type inspector struct {
	buf     []byte
	at      int // end of the last match
	vars    [16]int64
	left    int  // ticks; below 0 the evaluation is given up
	stop    bool // no other place for earlier items can help
	barren  bool // no place further right can: what failed last was looked for in all that follows
	finds   [maxFinds]find
	machine *pcre.Machine
	decoded []byte // memory of base64_decode, none without a rule that has it
}

// find is what the last search of an item to the end of the buffer found: from there on the answer is known up to where it was.
// Without it an item would be looked for anew, with the same result, behind each place of the one before.
type find struct {
	from       int // where the search began, -1 if there was none
	start, end int // of the first match; start is far where there is none
}

// maxFinds is how many items of a signature remember a find.
const maxFinds = 16

// Costs, in ticks.
const (
	stepTicks = 8 // an item at a place
	findShare = 4 // bytes that are searched for a content in a tick
)

// run evaluates items over buf at the cost of at most ticks.
func (x *inspector) run(items []item, buf []byte, ticks int) bool {
	x.buf, x.at, x.left, x.stop, x.barren = buf, 0, ticks, false, false
	for i := range items[:min(len(items), maxFinds)] {
		x.finds[i].from = -1
	}
	return x.from(items)
}

// spent ends an evaluation that is out of ticks.
func (x *inspector) spent() bool {
	if x.left < 0 {
		x.stop = true
		return true
	}
	return false
}

// far is a place out of any buffer; what packets say is cut to it, so that no sum of places wraps.
const far = 1 << 40

// value is v as a place or a length.
func (x *inspector) value(v rule.Value) int {
	if v.Var > 0 {
		return int(min(x.number64(v), far))
	}
	return int(v.N)
}

// number64 is v as the number that is compared and reckoned with.
func (x *inspector) number64(v rule.Value) uint64 {
	if v.Var > 0 {
		return uint64(x.vars[v.Var-1])
	}
	return uint64(v.N)
}

func (x *inspector) from(items []item) bool {
	if len(items) == 0 {
		return true
	}
	if x.left -= stepTicks; x.spent() {
		return false
	}
	it, rest := &items[0], items[1:]
	switch it.kind {
	case rule.Content:
		return x.content(it, rest)
	case rule.PCRE:
		return x.pcre(it, rest)
	case rule.IsDataAt:
		if x.isDataAt(it) == it.negated {
			return x.fail(it)
		}
	case rule.ByteTest:
		v, _, ok := x.number(it)
		if !ok || x.byteTest(it, v) == it.negated {
			return x.fail(it)
		}
	case rule.ByteJump:
		if !x.byteJump(it) {
			return x.fail(it)
		}
	case rule.ByteExtract:
		v, end, ok := x.number(it)
		if !ok {
			return x.fail(it)
		}
		x.vars[it.byte.Result] = extracted(it, v)
		x.at = end
	case rule.ByteMath:
		v, end, ok := x.number(it)
		if !ok || !x.byteMath(it, v) {
			return x.fail(it)
		}
		x.at = end
	case rule.Base64Decode:
		if !x.base64(it) {
			return x.fail(it)
		}
	case rule.Size:
		if !it.size.Holds(uint64(len(x.buf))) {
			x.stop = true
			return false
		}
	}
	ok := x.from(rest)
	if it.kind != rule.IsDataAt && it.kind != rule.Size {
		x.barren = false // what follows may be elsewhere from another place
	}
	return ok
}

// fail ends the search for good where the item does not depend on the matches before it.
func (x *inspector) fail(it *item) bool {
	x.barren = false
	if !it.depends {
		x.stop = true
	}
	return false
}

func (x *inspector) content(it *item, rest []item) bool {
	prev := x.at
	lo, hi := x.window(it, prev)
	n := len(it.pattern)
	if lo > hi || hi <= 0 || hi-lo < n {
		if it.negated {
			x.at = prev
			return x.from(rest)
		}
		return x.fail(it)
	}
	if it.ends && !it.relNext && !it.negated {
		// Only one place is possible.
		if hi < len(x.buf) {
			return x.fail(it)
		}
		lo = hi - n
	}
	for {
		i := x.find(it, lo, hi)
		if x.spent() {
			return false
		}
		if i < 0 {
			if it.negated {
				x.at = prev
				return x.from(rest)
			}
			ok := x.fail(it)
			x.barren = it.rightward && hi == len(x.buf)
			return ok
		}
		end := i + n
		if it.ends && end != len(x.buf) {
			lo = i + 1
			continue
		}
		if it.negated {
			return x.fail(it)
		}
		x.at = end
		if !it.relNext {
			return x.from(rest)
		}
		if x.from(rest) {
			return true
		}
		if x.stop {
			return false
		}
		if x.barren {
			if !it.depends {
				x.stop = true
			}
			x.barren = it.rightward
			return false
		}
		lo = i + 1
	}
}

// find returns where the item's pattern first lies in buf[lo:hi], -1 if nowhere.
func (x *inspector) find(it *item, lo, hi int) int {
	n := len(it.pattern)
	if hi-lo < n {
		return -1
	}
	if it.find >= 0 {
		if f := &x.finds[it.find]; f.from >= 0 && f.from <= lo && lo <= f.start {
			if f.start+n > hi {
				return -1
			}
			return f.start
		}
	}
	i, compared := match.Find(x.buf[lo:hi], it.pattern, it.noCase)
	at := lo + i
	if i < 0 {
		at = hi
	}
	x.left -= stepTicks + (at-lo)/findShare + compared
	if it.find >= 0 && hi == len(x.buf) {
		f := find{from: lo, start: far}
		if i >= 0 {
			f.start = at
		}
		x.finds[it.find] = f
	}
	if i < 0 {
		return -1
	}
	return at
}

// window returns the part of the buffer in which a content must lie.
func (x *inspector) window(it *item, prev int) (lo, hi int) {
	hi = len(x.buf)
	if it.relative {
		lo = prev
		dist := 0
		if it.hasDist {
			dist = x.value(it.distance)
			lo = max(prev+dist, 0)
		}
		if it.hasWithin {
			hi = min(hi, prev+dist+x.value(it.within))
		}
		return lo, hi
	}
	if it.hasOffset {
		lo = x.value(it.offset)
	}
	if it.hasDepth {
		hi = min(hi, lo+x.value(it.depth))
	}
	return lo, hi
}

func (x *inspector) pcre(it *item, rest []item) bool {
	prev := x.at
	base := 0
	if it.relative {
		base = min(prev, len(x.buf))
	}
	if it.negated || !it.relNext {
		ok := x.exists(it, base)
		switch {
		case x.spent():
			return false
		case ok == it.negated:
			failed := x.fail(it)
			x.barren = !it.negated && it.rightward
			return failed
		case it.negated:
			x.at = prev
			return x.from(rest)
		}
		// Nothing counts from the end of the match, so it need not be known.
		return x.from(rest)
	}
	for from := base; ; {
		start, end, ok := x.match(it, base, from)
		if x.spent() {
			return false
		}
		if !ok {
			failed := x.fail(it)
			x.barren = it.rightward && from == base
			return failed
		}
		x.at = end
		if x.from(rest) {
			return true
		}
		if x.stop {
			return false
		}
		from = start + 1
	}
}

// exists reports whether the expression matches in buf[base:].
func (x *inspector) exists(it *item, base int) bool {
	if it.find < 0 {
		return x.machine.Exists(it.re, x.buf[base:], 0, &x.left)
	}
	f := &x.finds[it.find]
	if f.from >= 0 && f.from <= base && f.start == far {
		return false
	}
	ok := x.machine.Exists(it.re, x.buf[base:], 0, &x.left)
	if !ok && x.left >= 0 {
		*f = find{from: base, start: far}
	}
	return ok
}

// match returns the first match of the expression in buf[base:] that begins at from or later.
func (x *inspector) match(it *item, base, from int) (start, end int, ok bool) {
	if it.find >= 0 {
		if f := &x.finds[it.find]; f.from >= 0 && f.from <= from && from <= f.start {
			return f.start, f.end, f.start < far
		}
	}
	if x.machine.Exists(it.re, x.buf[base:], from-base, &x.left) {
		start, end, ok = x.machine.Match(it.re, x.buf[base:], from-base, &x.left)
		start, end = start+base, end+base
	}
	if it.find >= 0 && x.left >= 0 {
		f := find{from: from, start: start, end: end}
		if !ok {
			f.start = far
		}
		x.finds[it.find] = f
	}
	return start, end, ok
}

func (x *inspector) isDataAt(it *item) bool {
	n := x.value(it.byte.Offset)
	if it.relative {
		return x.at+n <= len(x.buf)
	}
	return n < len(x.buf)
}
