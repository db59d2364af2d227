package match

// arith is an arithmetic expression: a value, and what must hold for the value to mean something.
type arith struct {
	value value
	check test // nil: nothing
}

// value is computed in 32 bits that wrap, as BPF does.
type value interface {
	of(frame []byte, wire uint32) (v uint32, ok bool)
}

type (
	constant  uint32
	frameSize struct{}
	// bytesOf loads size bytes at base plus index, plus the IPv4 header there if behind is set.
	bytesOf struct {
		base, size uint32
		behind     bool
		index      value
	}
	operation struct {
		op   string
		a, b value
	}
)

func (c constant) of([]byte, uint32) (uint32, bool) { return uint32(c), true }

func (frameSize) of(_ []byte, w uint32) (uint32, bool) { return w, true }

func (b bytesOf) of(f []byte, w uint32) (uint32, bool) {
	at, ok := b.index.of(f, w)
	if !ok {
		return 0, false
	}
	at += b.base
	if b.behind {
		n, ok := headerLen(f, b.base)
		if !ok {
			return 0, false
		}
		at += n
	}
	return load(f, at, b.size)
}

func (o operation) of(f []byte, w uint32) (uint32, bool) {
	a, ok := o.a.of(f, w)
	if !ok {
		return 0, false
	}
	b, ok := o.b.of(f, w)
	if !ok {
		return 0, false
	}
	return calculate(o.op, a, b)
}

func calculate(op string, a, b uint32) (v uint32, ok bool) {
	switch op {
	case "+":
		return a + b, true
	case "-":
		return a - b, true
	case "*":
		return a * b, true
	case "/":
		if b == 0 {
			return 0, false
		}
		return a / b, true
	case "%":
		if b == 0 {
			return 0, false
		}
		return a % b, true
	case "&":
		return a & b, true
	case "|":
		return a | b, true
	case "^":
		return a ^ b, true
	case "<<":
		return a << b, true
	}
	return a >> b, true
}

// compared asks how two values stand to each other, as unsigned numbers.
type compared struct {
	op   string
	a, b value
}

func (c compared) ask(f []byte, w uint32) answer {
	a, ok := c.a.of(f, w)
	if !ok {
		return short
	}
	b, ok := c.b.of(f, w)
	if !ok {
		return short
	}
	switch c.op {
	case "=", "==":
		return answerOf(a == b)
	case "!=":
		return answerOf(a != b)
	case "<":
		return answerOf(a < b)
	case ">":
		return answerOf(a > b)
	case "<=":
		return answerOf(a <= b)
	}
	return answerOf(a >= b)
}
