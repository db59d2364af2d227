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
	steps   int
	stop    bool // no other place for earlier items can help
	machine *pcre.Machine
	decoded []byte // memory of base64_decode, none without a rule that has it
}

// maxSteps bounds one evaluation, as Suricata's inspection-recursion-limit.
const maxSteps = 3000

// run evaluates items over buf.
func (x *inspector) run(items []item, buf []byte) bool {
	x.buf, x.at, x.steps, x.stop = buf, 0, 0, false
	return x.from(items)
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
	if x.steps++; x.steps > maxSteps {
		x.stop = true
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
	return x.from(rest)
}

// fail ends the search for good where the item does not depend on the matches before it.
func (x *inspector) fail(it *item) bool {
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
		i := -1
		if hi-lo >= n {
			i = match.Find(x.buf[lo:hi], it.pattern, it.noCase)
		}
		if i < 0 {
			if it.negated {
				x.at = prev
				return x.from(rest)
			}
			return x.fail(it)
		}
		end := lo + i + n
		if it.ends && end != len(x.buf) {
			lo += i + 1
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
		lo += i + 1
	}
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
	for from := 0; ; {
		start, end, ok := x.machine.Match(it.re, x.buf[base:], from)
		if it.negated {
			if ok {
				return x.fail(it)
			}
			x.at = prev
			return x.from(rest)
		}
		if !ok {
			return x.fail(it)
		}
		x.at = base + end
		if !it.relNext {
			return x.from(rest)
		}
		if x.from(rest) {
			return true
		}
		if x.stop {
			return false
		}
		from = start + 1
	}
}

func (x *inspector) isDataAt(it *item) bool {
	n := x.value(it.byte.Offset)
	if it.relative {
		return x.at+n <= len(x.buf)
	}
	return n < len(x.buf)
}
