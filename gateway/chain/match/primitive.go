package match

import (
	"strconv"
	"strings"
)

type direction uint8

const (
	srcOrDst direction = iota
	src
	dst
	srcAndDst
)

type addressKind uint8

const (
	hostAddress addressKind = iota // also where nothing is said
	netAddress
	portAddress
	portRange
	protoAddress
)

// qualifiers are the words before a value.
type qualifiers struct {
	proto     protocolWord
	protoWord string // as written
	dir       direction
	addr      addressKind
	said      bool // host, net, port ... was written
	known     bool // there are qualifiers at all
}

var noQualifiers = qualifiers{}

// primitive reads what begins with a keyword.
func (p *parser) primitive() (test, qualifiers) {
	t := p.peek()
	if why, refused := refusedWords[t.text]; refused && !t.escaped && t.kind == tokenWord {
		p.fail(t, "%s is not understood: %s", t, why)
		return nil, noQualifiers
	}
	q := qualifiers{known: true}
	if w, ok := protocolWords[t.text]; ok && t.kind == tokenWord && !t.escaped {
		if p.peekAt(1).is("[") {
			return p.relation(p.arithmetic()), noQualifiers
		}
		p.take()
		q.proto, q.protoWord = w, t.text
	}
	switch {
	case q.protoWord == "" && p.peek().is("less", "greater"):
		return p.lengthLimit(), noQualifiers
	case q.protoWord == "" && p.peek().is("vlan"):
		return p.vlan(), noQualifiers
	case q.protoWord == "" && (p.peek().is("len", "length") || isConstant(p.peek())):
		return p.relation(p.arithmetic()), noQualifiers
	case p.peek().is("broadcast", "multicast"):
		return p.cast(q), noQualifiers
	}
	directed := p.direction(&q)
	if !p.addressKind(&q) && !directed {
		if q.protoWord == "" {
			p.fail(p.peek(), "found %s; expected a primitive, such as `host 10.0.0.1`, `tcp port 80` or `net 10.0.0.0/8`", p.peek())
			return nil, noQualifiers
		}
		if p.isValue(p.peek()) {
			p.fail(p.peek(), "found %s behind %q; expected port, host, net, src, dst or proto before it", p.peek(), q.protoWord)
			return nil, noQualifiers
		}
		return p.abbreviation(t, q), noQualifiers
	}
	return p.value(q), q
}

func (p *parser) direction(q *qualifiers) bool {
	switch {
	case p.skip("src"):
		q.dir = src
	case p.skip("dst", "dest"):
		q.dir = dst
	default:
		return false
	}
	other := "dst"
	if q.dir == dst {
		other = "src"
	}
	if p.peekAt(1).is(other) {
		switch {
		case p.peek().is("or", "||"):
			q.dir = srcOrDst
			p.at += 2
		case p.peek().is("and", "&&"):
			q.dir = srcAndDst
			p.at += 2
		}
	}
	return true
}

func (p *parser) addressKind(q *qualifiers) bool {
	switch {
	case p.skip("host"):
		q.addr = hostAddress
	case p.skip("net"):
		q.addr = netAddress
	case p.skip("port"):
		q.addr = portAddress
	case p.skip("portrange"):
		q.addr = portRange
	case p.skip("proto"):
		q.addr = protoAddress
	default:
		if why, refused := refusedWords[p.peek().text]; refused && !p.peek().escaped {
			p.fail(p.peek(), "%s is not understood: %s", p.peek(), why)
		}
		return false
	}
	q.said = true
	return true
}

// value reads a value under q, or a group of values joined by and, or.
func (p *parser) value(q qualifiers) test {
	if p.failed != nil {
		return nil
	}
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), "the expression is nested more than %d deep; expected less", maxDepth)
		return nil
	}
	defer func() { p.depth-- }()
	t := p.peek()
	switch {
	case p.skip("not", "!"):
		return not{p.value(q)}
	case p.skip("("):
		left := p.value(q)
		for p.failed == nil {
			switch {
			case p.skip("and", "&&"):
				left = both{left, p.value(q)}
			case p.skip("or", "||"):
				left = either{left, p.value(q)}
			default:
				p.closing(t)
				return left
			}
		}
		return nil
	}
	// `ip proto tcp`: tcpdump wants a backslash before tcp here; there is nothing else it could mean.
	keyword := q.addr == protoAddress && t.kind == tokenWord
	if !p.isValue(t) && !keyword {
		p.fail(t, "found %s; expected %s", t, wanted[q.addr])
		return nil
	}
	p.take()
	switch q.addr {
	case portAddress, portRange:
		return p.ports(t, q)
	case protoAddress:
		return p.protoNumber(t, q)
	}
	return p.address(t, q)
}

var wanted = [...]string{
	hostAddress: "an address", netAddress: "a prefix, such as 10.0.0.0/8", portAddress: "a port", portRange: "a range of ports, such as 1000-2000",
	protoAddress: "a protocol's number or name",
}

// abbreviation is a protocol's word alone.
func (p *parser) abbreviation(t token, q qualifiers) test {
	if q.proto.layer == ether {
		p.fail(t, "%q alone says nothing; expected `%s host MAC`, `%s proto TYPE` or `%s[OFFSET]`", t.text, t.text, t.text, t.text)
		return nil
	}
	return p.isProtocol(q.proto)
}

// number reads a number in C's notation.
func number(s string) (uint32, bool) {
	base := 10
	switch {
	case strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	v, err := strconv.ParseUint(s, base, 32)
	return uint32(v), err == nil
}

func (p *parser) lengthLimit() test {
	word := p.take()
	t := p.take()
	v, ok := number(t.text)
	if t.kind != tokenNumber || !ok {
		p.fail(t, "found %s behind %q; expected a length in bytes", t, word.text)
		return nil
	}
	if word.text == "less" {
		return wireLen{0, v}
	}
	return wireLen{v, ^uint32(0)}
}

// vlan asks for a tag and moves what follows behind it.
func (p *parser) vlan() test {
	p.take()
	l := p.layer
	tag := anyOf(equal(l.linkType, 2, 0x8100), equal(l.linkType, 2, 0x88a8), equal(l.linkType, 2, 0x9100))
	p.layer.payload += 4
	p.layer.linkType += 4
	if t := p.peek(); t.kind == tokenNumber {
		p.take()
		id, ok := number(t.text)
		if !ok || id > 4095 {
			p.fail(t, "found the VLAN %s; expected 0 to 4095", t)
			return nil
		}
		return both{tag, field{l.payload, 2, 0xfff, id, id}}
	}
	return tag
}

func (p *parser) cast(q qualifiers) test {
	t := p.take()
	l := p.layer
	switch {
	case q.protoWord == "" || q.proto.layer == ether:
		if t.text == "multicast" {
			return field{0, 1, 1, 1, 1}
		}
		all := []byte{255, 255, 255, 255, 255, 255}
		return bytesAt{0, all, all}
	case t.text == "broadcast":
		p.fail(t, "found \"broadcast\" behind %q; expected `ether broadcast`: which IP addresses are broadcasts depends on a mask that the gateway does not have", q.protoWord)
	case q.proto.layer == ip:
		return both{equal(l.linkType, 2, 0x800), field{l.payload + 16, 1, 0xff, 224, 255}}
	case q.proto.layer == ip6:
		return both{equal(l.linkType, 2, 0x86dd), equal(l.payload+24, 1, 255)}
	default:
		p.fail(t, "found \"multicast\" behind %q; expected it alone or behind ether, ip or ip6", q.protoWord)
	}
	return nil
}
