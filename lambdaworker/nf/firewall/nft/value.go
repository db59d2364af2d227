package nft

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// number takes a decimal, octal or hexadecimal number of at most bits bits.
func (p *Parser) number(what string, bits int) uint64 {
	t := p.peek()
	if t.Kind != tokNumber && t.Kind != TokenString {
		p.expected("%s", what)
	}
	v, err := ParseNumber(t.Text)
	if err != nil {
		p.expected("%s", what)
	}
	if bits < 64 && v>>bits != 0 {
		p.Fail(t.Pos, "%s is out of range; expected at most %d", t.Text, uint64(1)<<bits-1)
	}
	p.take()
	return v
}

// ParseNumber reads numbers as nft does: 0x hexadecimal, a leading zero octal, all else decimal.
func ParseNumber(s string) (uint64, error) {
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		return strconv.ParseUint(s[2:], 16, 64)
	case len(s) > 1 && s[0] == '0':
		return strconv.ParseUint(s, 8, 64)
	}
	return strconv.ParseUint(s, 10, 64)
}

// value takes a value of type d, a range `a-b` or an address prefix.
func (p *Parser) value(d ruleset.Datatype) ruleset.Span {
	at := p.peek().Pos
	if d == ruleset.TypeIfname {
		return p.interfaceName()
	}
	lo := p.single(d)
	switch t := p.peek(); {
	case t.is("/") && (d == ruleset.TypeAddr4 || d == ruleset.TypeAddr6):
		p.take()
		size := d.Bits()
		lt := p.peek()
		n := p.number("a prefix length", 32)
		if n > uint64(size) {
			p.Fail(lt.Pos, "prefix length %d; expected at most %d", n, size)
		}
		host := ruleset.Ones(size - int(n))
		lo = lo.And(ruleset.Ones(128).Xor(host))
		return ruleset.Span{Lo: lo, Hi: lo.Or(host)}
	case t.is("-"):
		if d.Bitmask() || d == ruleset.TypeBoolean {
			p.Fail(t.Pos, "a range; expected %s", d)
		}
		p.take()
		hi := p.single(d)
		if hi.Cmp(lo) <= 0 {
			p.Fail(at, "this range has no or negative size; expected its lower end first")
		}
		return ruleset.Span{Lo: lo, Hi: hi}
	}
	return ruleset.Span{Lo: lo, Hi: lo}
}

// single takes one value; of flags, several joined by bars.
func (p *Parser) single(d ruleset.Datatype) ruleset.U128 {
	switch d {
	case ruleset.TypeAddr4, ruleset.TypeAddr6:
		return p.address(d)
	case ruleset.TypeEtherAddr:
		return p.ether()
	case ruleset.TypeTCPFlags, ruleset.TypeCTState, ruleset.TypeCTStatus:
		return ruleset.Num(p.flags(d, false))
	}
	t := p.peek()
	if t.Kind == tokNumber || t.Kind == TokenString && t.Text != "" && isDigit(t.Text[0]) {
		return ruleset.Num(p.number(d.String(), d.Bits()))
	}
	v, ok := d.Names()[strings.ToLower(t.Text)]
	if t.Kind != TokenWord && t.Kind != TokenString || !ok {
		p.expected("%s", d)
	}
	p.take()
	return ruleset.Num(v)
}

func (p *Parser) address(d ruleset.Datatype) ruleset.U128 {
	t := p.peek()
	if t.Kind == TokenString {
		if a, err := netip.ParseAddr(t.Text); err == nil && a.Is4() == (d == ruleset.TypeAddr4) && a.Zone() == "" {
			p.take()
			return ruleset.AddrValue(a)
		}
	}
	if v, err := ParseNumber(t.Text); err == nil && t.Kind == tokNumber && d == ruleset.TypeAddr4 && v <= ruleset.Ones(32).Lo {
		p.take()
		a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		p.Warn(t.Pos, "nft reads %s as the address %s; write all four numbers", t.Text, a)
		return ruleset.Num(v)
	}
	if t.Kind == tokNumber || t.Kind == tokAddr6 {
		a, err := netip.ParseAddr(t.Text)
		switch {
		case err == nil && a.Is4() == (d == ruleset.TypeAddr4):
			p.take()
			return ruleset.AddrValue(a)
		case err == nil:
			p.expected("%s", d)
		case t.Kind == tokNumber && d == ruleset.TypeAddr4 && strings.Count(t.Text, ".") < 4:
			p.expected("an IPv4 address of four numbers up to 255")
		}
	}
	if t.Kind == TokenWord {
		p.Fail(t.Pos, "found %s; expected %s (names of hosts are not looked up)", t.Found(), d)
	}
	p.expected("%s", d)
	return ruleset.U128{}
}

// flags takes flags joined by bars, and by commas too if commas; parentheses may stand around them.
func (p *Parser) flags(d ruleset.Datatype, commas bool) uint64 {
	if p.parens++; p.parens > maxBraces {
		p.parens = 0
		p.Fail(p.peek().Pos, "parentheses are nested more than %d deep; expected fewer", maxBraces)
	}
	defer func() { p.parens = max(p.parens-1, 0) }()
	var v uint64
	for {
		switch t := p.peek(); {
		case t.is("("):
			p.take()
			v |= p.flags(d, true)
			p.expect(")")
		case t.Kind == tokNumber:
			v |= p.number(d.String(), d.Bits())
		default:
			bit, ok := d.Names()[strings.ToLower(t.Text)]
			if t.Kind != TokenWord && t.Kind != TokenString || !ok {
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

// ValueOf parses text, which stands at that place of a file in another language, as a value of type d.
func (p *Parser) ValueOf(at ruleset.Pos, d ruleset.Datatype, text string) ruleset.Span {
	p.streams = []stream{{toks: lex(at.File, text, p.Problem)}}
	toks := p.streams[0].toks
	for i := range toks {
		toks[i].Pos = ruleset.Pos{File: at.File, Line: at.Line, Col: at.Col + toks[i].Pos.Col - 1}
	}
	s := p.value(d)
	if p.peek().Kind != tokEOF {
		p.expected("%s", d)
	}
	return s
}

// ether takes an Ethernet address.
func (p *Parser) ether() ruleset.U128 {
	t := p.peek()
	if t.Kind != tokEther && !(t.Kind == TokenString && etherLen(t.Text) == len(t.Text) && t.Text != "") {
		p.expected("%s", ruleset.TypeEtherAddr)
	}
	p.take()
	v, _ := strconv.ParseUint(strings.ReplaceAll(t.Text, ":", ""), 16, 48)
	return ruleset.Num(v)
}
