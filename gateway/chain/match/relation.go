package match

// binary operators by rank, the loosest first.
var ranks = [][]string{{"|", "^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

func isRelation(t token) bool { return t.is("=", "==", "!=", "<", ">", "<=", ">=") }

func isConstant(t token) bool {
	_, ok := constants[t.text]
	return ok && t.kind == tokenWord && !t.escaped
}

// relation reads what follows a left side. It holds only where both sides mean something.
func (p *parser) relation(left arith) test {
	if p.failed != nil {
		return nil
	}
	op := p.peek()
	if !isRelation(op) {
		p.fail(op, "found %s behind a value; expected = != < > <= or >=", op)
		return nil
	}
	p.take()
	right := p.arithmetic()
	if p.failed != nil {
		return nil
	}
	var t test = compared{op.text, left.value, right.value}
	if check := joined(left.check, right.check); check != nil {
		t = both{check, t}
	}
	return t
}

func joined(a, b test) test {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return both{a, b}
}

func (p *parser) arithmetic() arith { return p.rank(0) }

func (p *parser) rank(r int) arith {
	if r == len(ranks) {
		return p.unary()
	}
	left := p.rank(r + 1)
	for p.failed == nil && p.peek().is(ranks[r]...) {
		op := p.take()
		right := p.rank(r + 1)
		if p.failed != nil {
			break
		}
		c, isConstant := right.value.(constant)
		switch {
		case isConstant && c == 0 && (op.text == "/" || op.text == "%"):
			p.fail(op, "found a division by zero; expected another divisor")
		case isConstant && c > 31 && (op.text == "<<" || op.text == ">>"):
			p.fail(op, "found a shift by %d; expected 0 to 31", uint32(c))
		}
		l, both := left.value.(constant)
		if v, ok := calculate(op.text, uint32(l), uint32(c)); both && isConstant && ok {
			left.value = constant(v)
			continue
		}
		left = arith{operation{op.text, left.value, right.value}, joined(left.check, right.check)}
	}
	return left
}

func (p *parser) unary() arith {
	if p.failed != nil {
		return arith{value: constant(0)}
	}
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), "the expression is nested more than %d deep; expected less", maxDepth)
		return arith{value: constant(0)}
	}
	defer func() { p.depth-- }()
	t := p.take()
	switch {
	case t.is("-"):
		a := p.unary()
		if c, ok := a.value.(constant); ok {
			return arith{-c, a.check}
		}
		return arith{operation{"-", constant(0), a.value}, a.check}
	case t.is("("):
		a := p.arithmetic()
		p.closing(t)
		return a
	case t.kind == tokenNumber:
		v, ok := number(t.text)
		if !ok {
			p.fail(t, "found the number %s; expected at most 4294967295", t)
		}
		return arith{value: constant(v)}
	case t.is("len", "length"):
		return arith{value: frameSize{}}
	case isConstant(t):
		return arith{value: constant(constants[t.text])}
	}
	if w, ok := protocolWords[t.text]; ok && t.kind == tokenWord && !t.escaped && p.peek().is("[") {
		return p.accessor(t, w)
	}
	p.fail(t, "found %s; expected a number, len, or bytes of a header, such as tcp[13]", t)
	return arith{value: constant(0)}
}

// accessor reads `[OFFSET]` or `[OFFSET:SIZE]` behind a protocol.
func (p *parser) accessor(t token, w protocolWord) arith {
	open := p.take()
	index := p.arithmetic()
	size := uint32(1)
	if p.skip(":") {
		n := p.take()
		size, _ = number(n.text)
		if n.kind != tokenNumber || size != 1 && size != 2 && size != 4 {
			p.fail(n, "found the size %s; expected 1, 2 or 4 bytes", n)
		}
	}
	if !p.skip("]") {
		p.fail(p.peek(), "found %s; expected `]` for the `[` before it", p.peek())
	}
	if !w.index {
		p.fail(open, "bytes of %s can't be read; expected ether, ip, ip6, tcp, udp, icmp, icmp6 or their like", t)
	}
	if p.failed != nil {
		return arith{value: constant(0)}
	}
	l := p.layer.payload
	b := bytesOf{base: l, size: size, index: index.value}
	check := index.check
	switch w.layer {
	case ether:
		b.base = 0
	case ip, ip6, arp, rarp:
		check = joined(check, p.isProtocol(w))
	case overIP6:
		b.base = l + 40
		check = joined(check, both{p.linkType(0x86dd), equal(l+6, 1, uint32(w.number))})
	default: // behind an IPv4 header, in a first fragment; IPv6 is not looked into, as by tcpdump
		b.behind = true
		check = joined(check, both{p.overIPv4(uint32(w.number)), field{l + 6, 2, 0x1fff, 0, 0}})
	}
	return arith{b, check}
}
