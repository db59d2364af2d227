package pcre

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
)

// Flags are PCRE's flags.
type Flags struct {
	NoCase    bool // i
	DotAll    bool // s
	MultiLine bool // m
	Extended  bool // x
	Anchored  bool // A
	DollarEnd bool // E: $ stands at the very end alone, not before a final newline
	Ungreedy  bool // G, PCRE's (?U)
}

// Regexp is a compiled expression. It may be used by many goroutines, each with a Machine of its own.
type Regexp struct {
	insts    []inst
	start    uint32
	dollar   bool
	anchored bool
	first    [256]bool // bytes that a match can begin with
	anyFirst bool      // the expression can match nothing, or begins with an assertion
	floating bool      // what stands before a match does not matter
	class    [256]uint8
	classes  int
	groups   []group  // of an expression that needs to go back; nil for the others
	behind   []uint32 // where it goes on behind the groups that begin at an instruction
	noCase   bool
}

type inst struct {
	op       uint8
	empty    uint8 // syntax.EmptyOp
	out, arg uint32
	lo       byte
	bits     *[4]uint64
}

const (
	opAlt uint8 = iota
	opEmpty
	opNop
	opMatch
	opFail
	opByte  // lo
	opSet   // bits
	opGroup // arg: 2n where group n begins, 2n+1 where it ends
	opShut  // the end of a group that is more than brackets
)

// maxInsts bounds the size of a program.
const maxInsts = 40000

// Compile compiles expr.
func Compile(expr string, f Flags) (*Regexp, error) {
	t := &translator{in: expr, extended: f.Extended, bare: f.DollarEnd || f.MultiLine}
	text, err := t.run()
	if errors.Is(err, errGoesBack) {
		t = &translator{in: expr, extended: f.Extended, bare: t.bare, back: true, names: map[string]int{}}
		text, err = t.run()
	}
	if err != nil {
		return nil, err
	}
	// PerlX for \A \z and (?:; ClassNL, since [^a] matches a newline; no UnicodeGroups: bytes are no Unicode.
	flags := syntax.ClassNL | syntax.PerlX | syntax.OneLine
	if f.NoCase {
		flags |= syntax.FoldCase
	}
	if f.DotAll {
		flags |= syntax.DotNL
	}
	if f.MultiLine {
		flags &^= syntax.OneLine
	}
	if f.Ungreedy {
		flags |= syntax.NonGreedy
	}
	re, err := syntax.Parse(text, flags)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxInsts {
		return nil, ErrTooLarge
	}
	r := &Regexp{start: uint32(prog.Start), dollar: t.dollar, anchored: f.Anchored || prog.StartCond()&syntax.EmptyBeginText != 0}
	r.lower(prog)
	if t.back {
		r.noCase = f.NoCase
		if err := r.backtracks(re, prog); err != nil {
			return nil, err
		}
		r.shuts()
		r.anchored = f.Anchored || r.beginsText()
	}
	r.findFirst()
	r.classify()
	r.floating = !r.anchored && r.groups == nil && !slices.ContainsFunc(r.insts, inst.looksBack)
	return r, nil
}

// lower turns instructions over characters into instructions over bytes.
func (r *Regexp) lower(prog *syntax.Prog) {
	r.insts = make([]inst, len(prog.Inst))
	known := map[[4]uint64]*[4]uint64{}
	for i := range prog.Inst {
		in := &prog.Inst[i]
		o := &r.insts[i]
		o.out, o.arg = in.Out, in.Arg
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			o.op = opAlt
		case syntax.InstEmptyWidth:
			o.op, o.empty = opEmpty, uint8(in.Arg)
		case syntax.InstNop, syntax.InstCapture:
			o.op = opNop
		case syntax.InstMatch:
			o.op = opMatch
		case syntax.InstFail:
			o.op = opFail
		default:
			o.op = opSet
			var bits [4]uint64
			n, last := 0, 0
			for c := range 256 {
				if in.MatchRune(rune(c)) {
					bits[c>>6] |= 1 << (c & 63)
					n, last = n+1, c
				}
			}
			if n == 1 {
				o.op, o.lo = opByte, byte(last)
				continue
			}
			if known[bits] == nil {
				known[bits] = &bits
			}
			o.bits = known[bits]
		}
	}
}

// findFirst collects the bytes that a match can begin with.
func (r *Regexp) findFirst() {
	seen := make([]bool, len(r.insts))
	var walk func(pc uint32)
	walk = func(pc uint32) {
		if seen[pc] || r.anyFirst {
			return
		}
		seen[pc] = true
		switch in := &r.insts[pc]; in.op {
		case opAlt:
			walk(in.out)
			walk(in.arg)
		case opNop:
			walk(in.out)
		case opGroup, opShut:
			if r.groups[in.arg/2].kind != plainGroup {
				r.anyFirst = true
			}
			walk(in.out)
		case opEmpty, opMatch:
			r.anyFirst = true
		case opByte:
			r.first[in.lo] = true
		case opSet:
			for c := range 256 {
				if in.bits[c>>6]>>(c&63)&1 != 0 {
					r.first[c] = true
				}
			}
		}
	}
	walk(r.start)
}

// looksBack reports whether the instruction asks what stands before a place.
func (in inst) looksBack() bool {
	return in.op == opEmpty && syntax.EmptyOp(in.empty)&^(syntax.EmptyEndLine|syntax.EmptyEndText) != 0
}

// Floating reports whether a match is one wherever the data begins: it is not anchored, and asks nothing of the bytes before it.
func (r *Regexp) Floating() bool { return r.floating }

// Size returns the number of instructions, for the Machine that runs them.
func (r *Regexp) Size() int { return len(r.insts) }
