package firewall

import (
	"net/netip"
	"strconv"
	"strings"
)

// number takes a decimal, octal or hexadecimal number of at most bits bits.
func (p *parser) number(what string, bits int) uint64 {
	t := p.peek()
	if t.kind != tokNumber {
		p.expected("%s", what)
	}
	v, err := parseNumber(t.text)
	if err != nil {
		p.expected("%s", what)
	}
	if bits < 64 && v>>bits != 0 {
		p.fail(t.pos, "%s is out of range; expected at most %d", t.text, uint64(1)<<bits-1)
	}
	p.take()
	return v
}

// parseNumber reads numbers as nft does: 0x hexadecimal, a leading zero octal, all else decimal.
func parseNumber(s string) (uint64, error) {
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		return strconv.ParseUint(s[2:], 16, 64)
	case len(s) > 1 && s[0] == '0':
		return strconv.ParseUint(s, 8, 64)
	}
	return strconv.ParseUint(s, 10, 64)
}

// value takes a value of type d, a range `a-b` or an address prefix.
func (p *parser) value(d datatype) span {
	at := p.peek().pos
	if d == sideName {
		return p.side()
	}
	lo := p.single(d)
	switch t := p.peek(); {
	case t.is("/") && (d == addr4 || d == addr6):
		p.take()
		size := d.bits()
		lt := p.peek()
		n := p.number("a prefix length", 32)
		if n > uint64(size) {
			p.fail(lt.pos, "prefix length %d; expected at most %d", n, size)
		}
		host := ones(size - int(n))
		lo = lo.and(ones(128).xor(host))
		return span{lo, lo.or(host)}
	case t.is("-"):
		if d.bitmask() || d == boolean {
			p.fail(t.pos, "a range; expected %s", d)
		}
		p.take()
		hi := p.single(d)
		if hi.cmp(lo) <= 0 {
			p.fail(at, "this range has no or negative size; expected its lower end first")
		}
		return span{lo, hi}
	}
	return span{lo, lo}
}

// single takes one value; of flags, several joined by bars.
func (p *parser) single(d datatype) u128 {
	switch d {
	case addr4, addr6:
		return p.address(d)
	case flagsOfTCP, stateOfCT:
		return num(p.flags(d, false))
	}
	t := p.peek()
	if t.kind == tokNumber {
		return num(p.number(d.String(), d.bits()))
	}
	v, ok := d.names()[strings.ToLower(t.text)]
	if t.kind != tokWord && !(t.kind == tokString && d == service) || !ok {
		p.expected("%s", d)
	}
	p.take()
	return num(v)
}

func (p *parser) address(d datatype) u128 {
	t := p.peek()
	if v, err := parseNumber(t.text); err == nil && t.kind == tokNumber && d == addr4 && v <= ones(32).lo {
		p.take()
		a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		p.warn(t.pos, "nft reads %s as the address %s; write all four numbers", t.text, a)
		return num(v)
	}
	if t.kind == tokNumber || t.kind == tokAddr6 {
		a, err := netip.ParseAddr(t.text)
		switch {
		case err == nil && a.Is4() == (d == addr4):
			p.take()
			return addrValue(a)
		case err == nil:
			p.expected("%s", d)
		case t.kind == tokNumber && d == addr4 && strings.Count(t.text, ".") < 4:
			p.expected("an IPv4 address of four numbers up to 255")
		}
	}
	if t.kind == tokWord {
		p.fail(t.pos, "found %s; expected %s (names of hosts are not looked up)", t.found(), d)
	}
	p.expected("%s", d)
	return u128{}
}

// flags takes flags joined by bars, and by commas too if commas; parentheses may stand around them.
func (p *parser) flags(d datatype, commas bool) uint64 {
	var v uint64
	for {
		switch t := p.peek(); {
		case t.is("("):
			p.take()
			v |= p.flags(d, true)
			p.expect(")")
		case t.kind == tokNumber:
			v |= p.number(d.String(), d.bits())
		default:
			bit, ok := d.names()[strings.ToLower(t.text)]
			if t.kind != tokWord || !ok {
				p.expected("%s", d)
			}
			p.take()
			v |= bit
		}
		if !p.accept("|") && !(commas && p.accept(",")) {
			return v
		}
	}
}
