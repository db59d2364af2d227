package pcre

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Lookaround, backreferences and atomic groups need an engine that goes back. The translator writes each of them as a group with a name
// that says what it is, so that regexp/syntax parses the rest; this file gives those groups their meaning, and runs the program
// with a stack of choices. Its steps are taken from the caller's ticks like those of the other engines.

// groupKind is what a group of a program that goes back means.
type groupKind uint8

const (
	plainGroup groupKind = iota
	lookAhead
	notAhead
	lookBehind
	notBehind
	atomicGroup
	reference
)

// kindNames are how the translator begins the names of groups; a number follows, and for a reference _ and a number of its own.
var kindNames = map[byte]groupKind{'g': plainGroup, 'a': lookAhead, 'n': notAhead, 'b': lookBehind, 'm': notBehind, 't': atomicGroup, 'r': reference}

// group is a capturing group of a program that goes back.
type group struct {
	kind  groupKind
	of    int    // reference: the group referred to
	width [2]int // look behind: bytes at least and at most
}

// maxBehind is how far a look behind may reach, as PCRE2's default.
const maxBehind = 255

// backtracks fills r.groups from the parsed expression, of which prog is the program.
func (r *Regexp) backtracks(re *syntax.Regexp, prog *syntax.Prog) error {
	names := re.CapNames()
	r.groups = make([]group, len(names))
	numbers := map[int]int{}
	for i, name := range names[1:] {
		if name[0] == 'g' {
			n, _ := strconv.Atoi(name[1:])
			numbers[n] = i + 1
		}
	}
	for i, name := range names {
		if i == 0 {
			continue
		}
		g := &r.groups[i]
		g.kind = kindNames[name[0]]
		if g.kind == reference {
			word, _, _ := strings.Cut(name[1:], "_")
			n, _ := strconv.Atoi(word)
			if g.of = numbers[n]; g.of == 0 {
				return fmt.Errorf("there is no group %d to refer to", n)
			}
		}
	}
	r.widths(re)
	for i := range r.groups {
		if g := &r.groups[i]; (g.kind == lookBehind || g.kind == notBehind) && g.width[1] > maxBehind {
			return fmt.Errorf("a look behind reaches further than %d bytes", maxBehind)
		}
	}
	for i := range prog.Inst {
		if in := &prog.Inst[i]; in.Op == syntax.InstCapture {
			r.insts[i].op, r.insts[i].arg = opGroup, in.Arg
			if in.Arg&1 == 1 && r.groups[in.Arg/2].kind != plainGroup {
				r.insts[i].op = opShut
			}
		}
	}
	return nil
}

// shuts finds where the program goes on behind each group that is more than brackets. A group that is repeated stands in it several times.
func (r *Regexp) shuts() {
	r.behind = make([]uint32, len(r.insts))
	for i := range r.insts {
		if in := &r.insts[i]; in.op == opGroup && in.arg&1 == 0 && r.groups[in.arg/2].kind != plainGroup {
			r.behind[i] = r.shutOf(in.out, in.arg|1, make([]bool, len(r.insts)))
		}
	}
}

// beginsText reports whether the program asks for the beginning of the data before anything else.
func (r *Regexp) beginsText() bool {
	for pc := r.start; ; pc = r.insts[pc].out {
		switch in := &r.insts[pc]; {
		case in.op == opEmpty:
			return syntax.EmptyOp(in.empty)&syntax.EmptyBeginText != 0
		case in.op != opNop && (in.op != opGroup || r.groups[in.arg/2].kind != plainGroup):
			return false
		}
	}
}

func (r *Regexp) shutOf(pc, arg uint32, seen []bool) uint32 {
	for !seen[pc] {
		seen[pc] = true
		in := &r.insts[pc]
		switch in.op {
		case opShut:
			if in.arg == arg {
				return in.out
			}
		case opMatch, opFail:
			return 0
		case opAlt:
			if at := r.shutOf(in.arg, arg, seen); at != 0 {
				return at
			}
		}
		pc = in.out
	}
	return 0
}

// unbounded is the width of what may be as long as it likes.
const unbounded = 1 << 20

// widths returns how many bytes re matches at least and at most, and notes it of looks behind.
func (r *Regexp) widths(re *syntax.Regexp) (lo, hi int) {
	sub := func() (int, int) { return r.widths(re.Sub[0]) }
	switch re.Op {
	case syntax.OpLiteral:
		lo, hi = len(re.Rune), len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		lo, hi = 1, 1
	case syntax.OpConcat:
		for _, s := range re.Sub {
			a, b := r.widths(s)
			lo, hi = lo+a, hi+b
		}
	case syntax.OpAlternate:
		lo = unbounded
		for _, s := range re.Sub {
			a, b := r.widths(s)
			lo, hi = min(lo, a), max(hi, b)
		}
	case syntax.OpCapture:
		lo, hi = sub()
		switch g := &r.groups[re.Cap]; g.kind {
		case plainGroup, atomicGroup:
		case reference:
			lo, hi = 0, unbounded
		default:
			g.width = [2]int{lo, min(hi, unbounded)}
			lo, hi = 0, 0
		}
	case syntax.OpStar:
		sub()
		hi = unbounded
	case syntax.OpPlus:
		lo, _ = sub()
		hi = unbounded
	case syntax.OpQuest:
		_, hi = sub()
	case syntax.OpRepeat:
		lo, hi = sub()
		lo *= re.Min
		if re.Max < 0 {
			hi = unbounded
		} else {
			hi *= re.Max
		}
	}
	return min(lo, unbounded), min(hi, unbounded)
}

// backtracker is the memory of programs that go back.
type backtracker struct {
	stack []choice
	caps  []int32 // places of groups, -1 where not set
	last  []visit // by instruction: where an alternative was last met on this way
	left  *int
	r     *Regexp
	data  []byte
}

// choice is what to do when a way fails: go another, or put back what it changed.
type choice struct {
	what uint8
	at   uint32 // instruction, or what is put back
	pos  int32
	n    int32
}

const (
	goOn uint8 = iota // at instruction at and place pos
	putGroup
	putVisit
)

// visit is where, and how often there, a way met an alternative: a loop that takes no byte is left the third time.
type visit struct {
	pos int32
	n   int32
}

// Bounds and costs.
const (
	maxChoices = 1 << 16
	stepTicks  = 4
)

func (b *backtracker) reserve(r *Regexp) {
	if r.groups == nil {
		return
	}
	if b.stack == nil {
		b.stack = make([]choice, 0, maxChoices)
	}
	if n := 2 * len(r.groups); n > len(b.caps) {
		b.caps = make([]int32, n)
	}
	if n := len(r.insts); n > len(b.last) {
		b.last = make([]visit, n)
	}
}

// match looks for the leftmost match that begins at from or later.
func (b *backtracker) match(r *Regexp, data []byte, from int, ticks *int) (start, end int, ok bool) {
	b.r, b.data, b.left = r, data, ticks
	for at := from; at <= len(data); at++ {
		if !r.anyFirst {
			begin := at
			for at < len(data) && !r.first[data[at]] {
				at++
			}
			if *ticks -= at - begin; at == len(data) {
				return 0, 0, false
			}
		}
		for i := range b.caps[:2*len(r.groups)] {
			b.caps[i] = -1
		}
		for i := range b.last[:len(r.insts)] {
			b.last[i] = visit{-1, 0}
		}
		*ticks -= len(r.insts) / 8
		b.stack = b.stack[:0]
		if end, ok := b.run(r.start, at, -1, -1); ok {
			return at, end, true
		}
		if *ticks < 0 || r.anchored {
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// run goes from an instruction and a place until the program ends or, for the inside of a group, the instruction shut that closes it is met, at
// place must if that is not negative. It leaves on the stack what has to be put back.
func (b *backtracker) run(pc uint32, pos int, shut int, must int) (end int, ok bool) {
	r, base := b.r, len(b.stack)
	for {
		if *b.left -= stepTicks; *b.left < 0 {
			return 0, false
		}
		in := &r.insts[pc]
		failed := false
		switch in.op {
		case opMatch:
			if shut < 0 {
				return pos, true
			}
			failed = true
		case opFail:
			failed = true
		case opNop:
			pc = in.out
		case opEmpty:
			if failed = !r.holds(syntax.EmptyOp(in.empty), b.data, pos); !failed {
				pc = in.out
			}
		case opByte:
			if failed = pos >= len(b.data) || b.data[pos] != in.lo; !failed {
				pc, pos = in.out, pos+1
			}
		case opSet:
			if failed = pos >= len(b.data) || in.bits[b.data[pos]>>6]>>(b.data[pos]&63)&1 == 0; !failed {
				pc, pos = in.out, pos+1
			}
		case opAlt:
			v := &b.last[pc]
			old := *v
			if old.pos == int32(pos) && old.n >= 2 {
				failed = true
				break
			}
			if !b.push(choice{putVisit, pc, old.pos, old.n}) || !b.push(choice{goOn, in.arg, int32(pos), 0}) {
				return 0, false
			}
			n := int32(1)
			if old.pos == int32(pos) {
				n = old.n + 1
			}
			*v = visit{int32(pos), n}
			pc = in.out
		case opShut:
			if int(in.arg) == shut && (must < 0 || must == pos) {
				return pos, true
			}
			failed = int(in.arg) == shut
			pc = in.out
		case opGroup:
			g := &r.groups[in.arg/2]
			if g.kind == plainGroup {
				if !b.push(choice{putGroup, in.arg, b.caps[in.arg], 0}) {
					return 0, false
				}
				b.caps[in.arg] = int32(pos)
				pc = in.out
				break
			}
			var held bool
			if pos, held = b.group(g, in, pos); *b.left < 0 {
				return 0, false
			}
			if failed = !held; held {
				pc = r.behind[pc]
			}
		}
		if !failed {
			continue
		}
		if pc, pos, ok = b.back(base); !ok {
			return 0, false
		}
	}
}

// back takes the last choice above base.
func (b *backtracker) back(base int) (pc uint32, pos int, ok bool) {
	for len(b.stack) > base {
		c := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		switch c.what {
		case goOn:
			return c.at, int(c.pos), true
		case putGroup:
			b.caps[c.at] = c.pos
		case putVisit:
			b.last[c.at] = visit{c.pos, c.n}
		}
	}
	return 0, 0, false
}

func (b *backtracker) push(c choice) bool {
	if len(b.stack) == cap(b.stack) {
		*b.left = -1
		return false
	}
	b.stack = append(b.stack, c)
	return true
}

// group carries out a group that is more than brackets.
func (b *backtracker) group(g *group, in *inst, pos int) (end int, ok bool) {
	base, shut := len(b.stack), int(in.arg)|1
	switch g.kind {
	case reference:
		lo, hi := b.caps[2*g.of], b.caps[2*g.of+1]
		if lo < 0 || hi < lo || !b.same(int(lo), int(hi), pos) {
			return 0, false
		}
		return pos + int(hi-lo), true
	case atomicGroup:
		if end, ok = b.run(in.out, pos, shut, -1); ok {
			b.commit(base)
		}
		return end, ok
	case lookAhead:
		if _, ok = b.run(in.out, pos, shut, -1); ok {
			b.commit(base)
		}
		return pos, ok
	case notAhead:
		_, ok = b.run(in.out, pos, shut, -1)
	default:
		for n := g.width[0]; n <= g.width[1] && n <= pos && !ok && *b.left >= 0; n++ {
			_, ok = b.run(in.out, pos-n, shut, pos)
		}
		if g.kind == lookBehind {
			if ok {
				b.commit(base)
			}
			return pos, ok
		}
	}
	for len(b.stack) > base { // what a look that must fail has changed is put back
		b.back(base)
	}
	return pos, !ok
}

// commit drops the choices above base, but not what has to be put back.
func (b *backtracker) commit(base int) {
	kept := b.stack[:base]
	for _, c := range b.stack[base:] {
		if c.what != goOn {
			kept = append(kept, c)
		}
	}
	b.stack = kept
}

// same reports whether data[lo:hi] stands at pos too.
func (b *backtracker) same(lo, hi, pos int) bool {
	n := hi - lo
	if *b.left -= n; pos+n > len(b.data) {
		return false
	}
	for i := range n {
		x, y := b.data[lo+i], b.data[pos+i]
		if b.r.noCase {
			x, y = lower(x), lower(y)
		}
		if x != y {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 32
	}
	return c
}
