package pcre

import "regexp/syntax"

// Machine is the memory that matching needs: two lists of threads, each with at most one thread an instruction. It is
// made once for the largest expression and used by one goroutine.
type Machine struct {
	now, next threads
	stack     []uint32

	dfa      dfa
	prepared []prepared
	known    map[*Regexp]int // index into prepared
	back     backtracker
}

// threadTicks is what one thread costs for one byte, in ticks of about a nanosecond.
const threadTicks = 16

type threads struct {
	sparse []uint32
	dense  []thread
}

type thread struct {
	pc    uint32
	start int32
}

// NewMachine makes a machine for expressions of at most size instructions.
func NewMachine(size int) *Machine {
	m := &Machine{stack: make([]uint32, 0, 2*size+8)}
	for _, l := range []*threads{&m.now, &m.next} {
		l.sparse = make([]uint32, size)
		l.dense = make([]thread, 0, size)
	}
	return m
}

func (l *threads) has(pc uint32) bool {
	i := l.sparse[pc]
	return int(i) < len(l.dense) && l.dense[i].pc == pc
}

// Match looks for the leftmost match in data that begins at from or later. Assertions see all of data. It returns where
// the match begins and ends. What it costs is taken from ticks; where that falls below zero the search is given up, and has no
// match.
func (m *Machine) Match(r *Regexp, data []byte, from int, ticks *int) (start, end int, ok bool) {
	if from > len(data) || *ticks < 0 {
		return 0, 0, false
	}
	if r.groups != nil {
		if m.known == nil {
			m.back.reserve(r)
		}
		return m.back.match(r, data, from, ticks)
	}
	m.now.dense, m.next.dense = m.now.dense[:0], m.next.dense[:0]
	start, end = -1, -1
	left := *ticks
	defer func() { *ticks = left }()
	for at := from; ; at++ {
		if len(m.now.dense) == 0 {
			if end >= 0 || r.anchored && at > from {
				break
			}
			if !r.anyFirst && !r.anchored {
				begin := at
				for at < len(data) && !r.first[data[at]] {
					at++
				}
				left -= at - begin
				if at == len(data) {
					break
				}
			}
		}
		if end < 0 && (at == from || !r.anchored) {
			m.add(r, &m.now, r.start, int32(at), data, at)
		}
		if len(m.now.dense) == 0 {
			if at >= len(data) {
				break
			}
			continue
		}
		c, more := byte(0), at < len(data)
		if more {
			c = data[at]
		}
		left -= threadTicks * len(m.now.dense)
	run:
		for _, th := range m.now.dense {
			in := &r.insts[th.pc]
			switch in.op {
			case opByte:
				if more && in.lo == c {
					m.add(r, &m.next, in.out, th.start, data, at+1)
				}
			case opSet:
				if more && in.bits[c>>6]>>(c&63)&1 != 0 {
					m.add(r, &m.next, in.out, th.start, data, at+1)
				}
			case opMatch:
				start, end = int(th.start), at
				break run // threads behind this one matter less
			}
		}
		if !more {
			break
		}
		if left < 0 {
			return 0, 0, false
		}
		m.now, m.next = m.next, m.now
		m.next.dense = m.next.dense[:0]
	}
	return start, end, end >= 0
}

// add puts the thread pc and all that it reaches without a byte into l, in order of preference.
func (m *Machine) add(r *Regexp, l *threads, pc uint32, start int32, data []byte, at int) {
	m.stack = append(m.stack[:0], pc)
	for len(m.stack) > 0 {
		pc := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if l.has(pc) {
			continue
		}
		l.sparse[pc] = uint32(len(l.dense))
		l.dense = append(l.dense, thread{pc, start})
		switch in := &r.insts[pc]; in.op {
		case opAlt:
			m.stack = append(m.stack, in.arg, in.out)
		case opNop:
			m.stack = append(m.stack, in.out)
		case opEmpty:
			if r.holds(syntax.EmptyOp(in.empty), data, at) {
				m.stack = append(m.stack, in.out)
			}
		}
	}
}

// holds reports whether the assertions of op hold before data[at].
func (r *Regexp) holds(op syntax.EmptyOp, data []byte, at int) bool {
	if op&syntax.EmptyBeginText != 0 && at != 0 {
		return false
	}
	if op&syntax.EmptyBeginLine != 0 && at != 0 && data[at-1] != '\n' {
		return false
	}
	if op&syntax.EmptyEndText != 0 && at != len(data) && !(r.dollar && at == len(data)-1 && data[at] == '\n') {
		return false
	}
	if op&syntax.EmptyEndLine != 0 && at != len(data) && data[at] != '\n' {
		return false
	}
	if op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0 {
		edge := (at > 0 && word(data[at-1])) != (at < len(data) && word(data[at]))
		if op&syntax.EmptyWordBoundary != 0 && !edge || op&syntax.EmptyNoWordBoundary != 0 && edge {
			return false
		}
	}
	return true
}

func word(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
}
