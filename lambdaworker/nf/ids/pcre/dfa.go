package pcre

import (
	"regexp/syntax"
	"slices"
)

// dfa is memory for automata that are built as input asks for them (RE2's lazy DFA). It answers whether there is a match at about a
// nanosecond per byte; where the match lies only the threads of a Machine know. Its memory is fixed, shared by all expressions, and
// emptied when full.
type dfa struct {
	states []dfaState
	sets   []uint32 // instructions of the states, one set after the other
	next   []int32  // rows of transitions: a state + 1 by class, 0 where not built yet
	index  []int32  // states by hash, + 1: open addressing
	work   threads  // the set under construction
	thrash uint32   // how often it was emptied
}

type dfaState struct {
	expr      uint32 // index of the expression
	set, size uint32 // in dfa.sets
	row       uint32 // in dfa.next
	before    uint8  // what stands before the place, as far as an instruction of the set asks
	matches   bool   // the set holds the end of the expression
	asks      bool   // the set holds an assertion
}

// What stands before a place.
const (
	beforeText    = 1 << iota // nothing
	beforeNewline             // a newline
	beforeWord                // a letter, digit or underscore
)

// Results of a step that are no state.
const (
	dfaMatch = -1
	dfaDead  = -2 // no match can follow
	dfaFull  = -3
)

// Largest memory of a dfa: 2, 1 and 1 MB.
const (
	maxTransitions = 1 << 19
	maxSetMembers  = 1 << 18
	maxStates      = 1 << 15
	maxDFAInsts    = 4096 // larger expressions are run by threads alone
	maxThrash      = 8    // as are those that filled the memory so often
)

// prepared is what a Machine knows of an expression that it was prepared for.
type prepared struct {
	re     *Regexp
	starts [8]int32 // start states + 1 by what stands before
	thrash uint8
}

// Prepare makes room for automata of the expressions. Without it, all are run by threads.
func (m *Machine) Prepare(all []*Regexp) {
	if len(all) == 0 {
		return
	}
	m.prepared = make([]prepared, 0, len(all))
	m.known = make(map[*Regexp]int, len(all))
	size := 1
	for _, r := range all {
		if m.back.reserve(r); r.groups != nil || len(r.insts) > maxDFAInsts {
			continue
		}
		if _, dup := m.known[r]; dup {
			continue
		}
		m.known[r] = len(m.prepared)
		m.prepared = append(m.prepared, prepared{re: r})
		size = max(size, len(r.insts))
	}
	part := func(most int) int { return min(most, max(most/32, len(m.prepared)*most/128)) }
	d := &m.dfa
	d.states = make([]dfaState, 0, part(maxStates))
	d.sets = make([]uint32, 0, part(maxSetMembers))
	d.next = make([]int32, 0, part(maxTransitions))
	d.index = make([]int32, 2*part(maxStates))
	d.work = threads{sparse: make([]uint32, size), dense: make([]thread, 0, size)}
}

// empty forgets all states.
func (m *Machine) empty() {
	d := &m.dfa
	d.states, d.sets, d.next = d.states[:0], d.sets[:0], d.next[:0]
	clear(d.index)
	for i := range m.prepared {
		m.prepared[i].starts = [8]int32{}
	}
	d.thrash++
}

// Exists reports whether data has a match that begins at from or later: Match without the place. What it costs is taken from ticks, as
// there.
func (m *Machine) Exists(r *Regexp, data []byte, from int, ticks *int) bool {
	i, ok := m.known[r]
	if !ok || m.prepared[i].thrash >= maxThrash {
		_, _, ok := m.Match(r, data, from, ticks)
		return ok
	}
	if from > len(data) || *ticks < 0 {
		return false
	}
	p := &m.prepared[i]
	switch m.walk(p, uint32(i), data, from, ticks) {
	case dfaMatch:
		return true
	case dfaFull:
		p.thrash++
		m.empty()
		_, _, ok := m.Match(r, data, from, ticks)
		return ok
	}
	return false
}

func (m *Machine) walk(p *prepared, expr uint32, data []byte, from int, ticks *int) int32 {
	d, r := &m.dfa, p.re
	before := uint8(beforeText)
	if from > 0 {
		before = beforeByte(data[from-1])
	}
	s := p.starts[before] - 1
	if s < 0 {
		d.work.dense = d.work.dense[:0]
		d.closure(r, r.start)
		if s = d.state(r, expr, before, ticks); s < 0 {
			return s
		}
		p.starts[before] = s + 1
	}
	end := len(data)
	if r.dollar && end > from && data[end-1] == '\n' {
		end-- // the last newline is a symbol of its own
	}
	at := from
	for {
		begin := at
		st := &d.states[s]
		if st.matches {
			return dfaMatch
		}
		row := d.next[st.row:]
		for at < end {
			to := row[r.class[data[at]]]
			if to <= 0 {
				break
			}
			s = to - 1
			row = d.next[d.states[s].row:]
			at++
		}
		if *ticks -= at - begin; *ticks < 0 {
			return dfaDead
		}
		sym := symEnd
		if at < end {
			sym = int(data[at])
		} else if at < len(data) {
			sym = symLast
		}
		to := d.step(r, expr, s, sym, ticks)
		if to < 0 || *ticks < 0 {
			return to
		}
		s = to
		if at++; sym == symLast {
			// Behind the last newline is the end, and nothing else.
			return min(d.step(r, expr, s, symEnd, ticks), dfaMatch)
		}
	}
}

// Symbols beside the bytes.
const (
	symEnd  = 256 // the end of the data
	symLast = 257 // a newline that is the last byte
)

// step makes the transition of a state, or takes it where it was made before.
func (d *dfa) step(r *Regexp, expr uint32, s int32, sym int, ticks *int) int32 {
	st := d.states[s]
	class := uint32(r.classes) // of the end
	if sym < 256 {
		class = uint32(r.class[sym])
	} else if sym == symLast {
		class++
	}
	entry := &d.next[st.row+class]
	if *entry != 0 {
		if *entry < 0 {
			return *entry
		}
		return *entry - 1
	}
	to := d.move(r, expr, &st, sym, ticks)
	if to == dfaFull {
		return to
	}
	if *entry = to; to >= 0 {
		*entry = to + 1
	}
	return to
}

// move computes a transition.
func (d *dfa) move(r *Regexp, expr uint32, st *dfaState, sym int, ticks *int) int32 {
	set := d.sets[st.set : st.set+st.size]
	*ticks -= 100 + threadTicks*len(set)
	if st.matches {
		return dfaMatch
	}
	if st.asks {
		// Go through the assertions that hold here, and look again.
		d.work.dense = d.work.dense[:0]
		holds := empties(r, st.before, sym)
		for _, pc := range set {
			d.work.add(pc)
		}
		for k := 0; k < len(d.work.dense); k++ {
			in := &r.insts[d.work.dense[k].pc]
			if in.op == opEmpty && syntax.EmptyOp(in.empty)&^holds == 0 {
				d.closure(r, in.out)
			}
		}
		if d.work.matches(r) {
			return dfaMatch
		}
		if len(d.sets)+len(d.work.dense) > cap(d.sets) {
			return dfaFull
		}
		scratch := d.sets[len(d.sets):cap(d.sets)]
		for k, th := range d.work.dense {
			scratch[k] = th.pc
		}
		set = scratch[:len(d.work.dense):len(d.work.dense)]
		*ticks -= threadTicks * len(set)
	}
	if sym == symEnd {
		return dfaDead
	}
	c := byte(sym)
	if sym == symLast {
		c = '\n'
	}
	d.work.dense = d.work.dense[:0]
	for _, pc := range set {
		switch in := &r.insts[pc]; in.op {
		case opByte:
			if in.lo == c {
				d.closure(r, in.out)
			}
		case opSet:
			if in.bits[c>>6]>>(c&63)&1 != 0 {
				d.closure(r, in.out)
			}
		}
	}
	if !r.anchored {
		d.closure(r, r.start)
	}
	if len(d.work.dense) == 0 {
		return dfaDead
	}
	return d.state(r, expr, beforeByte(c), ticks)
}

// closure adds pc and all that it reaches without a byte or an assertion to the set under construction.
func (d *dfa) closure(r *Regexp, pc uint32) {
	if !d.work.add(pc) {
		return
	}
	for k := len(d.work.dense) - 1; k < len(d.work.dense); k++ {
		switch in := &r.insts[d.work.dense[k].pc]; in.op {
		case opAlt:
			d.work.add(in.out)
			d.work.add(in.arg)
		case opNop:
			d.work.add(in.out)
		}
	}
}

func (l *threads) add(pc uint32) bool {
	if l.has(pc) {
		return false
	}
	l.sparse[pc] = uint32(len(l.dense))
	l.dense = append(l.dense, thread{pc: pc})
	return true
}

func (l *threads) matches(r *Regexp) bool {
	return slices.ContainsFunc(l.dense, func(th thread) bool { return r.insts[th.pc].op == opMatch })
}

// state returns the state with the set under construction, a new one if there is none.
func (d *dfa) state(r *Regexp, expr uint32, before uint8, ticks *int) int32 {
	if len(d.sets)+len(d.work.dense) > cap(d.sets) {
		return dfaFull
	}
	first := len(d.sets)
	asks, matches := false, false
	for _, th := range d.work.dense {
		switch r.insts[th.pc].op {
		case opAlt, opNop, opFail:
			continue
		case opEmpty:
			asks = true
		case opMatch:
			matches = true
		}
		d.sets = append(d.sets, th.pc)
	}
	set := d.sets[first:]
	d.sets = d.sets[:first]
	slices.Sort(set)
	*ticks -= 2 * threadTicks * len(d.work.dense)
	if !asks {
		before = 0
	}
	h := expr*0x9e3779b1 + uint32(before)
	for _, pc := range set {
		h = (h ^ pc) * 0x85ebca6b
		h ^= h >> 15
	}
	mask := uint32(len(d.index) - 1)
	at := h & mask
	for ; d.index[at] != 0; at = (at + 1) & mask {
		st := &d.states[d.index[at]-1]
		if st.expr == expr && st.before == before && slices.Equal(d.sets[st.set:st.set+st.size], set) {
			return d.index[at] - 1
		}
	}
	width := r.classes + 2
	if len(d.states) == cap(d.states) || len(d.next)+width > cap(d.next) {
		return dfaFull
	}
	d.states = append(d.states, dfaState{
		expr: expr, set: uint32(first), size: uint32(len(set)), row: uint32(len(d.next)), before: before, matches: matches, asks: asks,
	})
	d.sets = d.sets[:first+len(set)]
	d.next = d.next[:len(d.next)+width]
	clear(d.next[len(d.next)-width:])
	d.index[at] = int32(len(d.states))
	return int32(len(d.states)) - 1
}

func beforeByte(c byte) uint8 {
	switch {
	case c == '\n':
		return beforeNewline
	case word(c):
		return beforeWord
	}
	return 0
}

// empties returns the assertions that hold between what stands before and a symbol.
func empties(r *Regexp, before uint8, sym int) (op syntax.EmptyOp) {
	if before&beforeText != 0 {
		op |= syntax.EmptyBeginText | syntax.EmptyBeginLine
	}
	if before&beforeNewline != 0 {
		op |= syntax.EmptyBeginLine
	}
	switch sym {
	case symEnd:
		op |= syntax.EmptyEndText | syntax.EmptyEndLine
	case symLast:
		op |= syntax.EmptyEndText | syntax.EmptyEndLine // step asks for it only where $ may stand before a final newline
	case '\n':
		op |= syntax.EmptyEndLine
	}
	if (before&beforeWord != 0) != (sym < 256 && word(byte(sym))) {
		return op | syntax.EmptyWordBoundary
	}
	return op | syntax.EmptyNoWordBoundary
}

// classify gives bytes that no instruction tells apart one class.
func (r *Regexp) classify() {
	var key [256]uint64
	n := uint64(1)
	split := func(in func(c int) bool) {
		n++
		for c := range key {
			if in(c) {
				key[c] = (key[c] ^ n) * 0x9e3779b97f4a7c15
			}
		}
	}
	sets := map[*[4]uint64]bool{}
	var single [256]bool
	for i := range r.insts {
		switch in := &r.insts[i]; {
		case in.op == opByte && !single[in.lo]:
			single[in.lo] = true
			split(func(c int) bool { return c == int(in.lo) })
		case in.op == opSet && !sets[in.bits]:
			sets[in.bits] = true
			split(func(c int) bool { return in.bits[c>>6]>>(c&63)&1 != 0 })
		case in.op == opEmpty:
			single['\n'] = true
		}
	}
	split(func(c int) bool { return c == '\n' })
	split(func(c int) bool { return word(byte(c)) })
	classes := map[uint64]uint8{}
	for c, k := range key {
		if _, ok := classes[k]; !ok {
			classes[k] = uint8(len(classes))
		}
		r.class[c] = classes[k]
	}
	r.classes = len(classes)
}
