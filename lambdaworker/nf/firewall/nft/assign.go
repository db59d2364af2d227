package nft

import (
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// assignable are fields, beside those that rules can compare, which statements set and which decide no verdict: what they change is seen by no rule
// of the subset. They are read and left out, with a warning.
var assignable = map[string][]string{
	"meta": strings.Fields("priority nftrace secmark"),
	"ct":   strings.Fields("helper label secmark event"),
}

// assign parses `set VALUE` behind a field: marks are kept, since rules compare them; what else changes a packet is left out.
func (p *Parser) assign(r *ruleset.Rule, ref FieldRef) {
	at := p.take().Pos
	switch ref.Field {
	case ruleset.MetaMark, ruleset.CTMark:
		p.assignMark(r, ref)
		return
	case ruleset.OptionMSS:
		if p.acceptWord("rt") {
			if !p.acceptWord("mtu") {
				p.expected("mtu")
			}
		} else {
			p.number("a segment size", 16)
		}
		p.leftOut(ref.Pos, "the maximum segment size of connections is not changed here: packets pass as they are")
		return
	case ruleset.IP4DSCP, ruleset.IP6DSCP, ruleset.IP4ECN, ruleset.IP6ECN:
		p.value(ruleset.Fields[ref.Field].Kind)
		p.leftOut(ref.Pos, ref.name+" is not changed here: packets pass as they are")
		return
	}
	p.Unsupported(at, "%s can be compared, not set: it would change what is forwarded; expected a comparison; "+Subset, ref.name)
}

// assignOther parses `meta priority set 1:10` and the like, fields that nothing compares, and reports whether that is what stands there, behind
// the word header.
func (p *Parser) assignOther(header Token) bool {
	n := p.peek()
	if n.Kind != TokenWord || !slices.Contains(assignable[header.Text], n.Text) {
		return false
	}
	p.take()
	if !p.acceptWord("set") {
		p.Unsupported(n.Pos, "\"%s %s\" is nftables, but not of the subset that runs here; expected it with set; "+Subset, header.Text, n.Text)
	}
	v := p.peek()
	if v.Kind != TokenWord && v.Kind != tokNumber && v.Kind != TokenString {
		p.Unsupported(v.Pos, "found %s; expected a value; "+Subset, v.Found())
	}
	p.take()
	if p.accept(":") {
		p.take() // of a priority
	}
	p.leftOut(header.Pos, header.Text+" "+n.Text+" is not set here: no rule of the subset sees it")
	return true
}

// leftOut warns that a statement is not done, in chains that packets pass.
func (p *Parser) leftOut(at ruleset.Pos, message string) {
	p.Diagnose(ruleset.Diagnostic{Pos: at, Reached: ruleset.Warn, Message: message})
}

// assignMark parses the value of a mark: a number or a mark, with `and`, `or`, `xor` and a number behind it.
func (p *Parser) assignMark(r *ruleset.Rule, ref FieldRef) {
	o := ruleset.Op{Kind: ruleset.OpSet, Pos: ref.Pos, Field: ref.Field}
	if t := p.peek(); t.word("mark") || t.word("meta") || t.word("ct") {
		if t.word("mark") { // `mark` alone is `meta mark`
			p.take()
			o.From = ruleset.MetaMark
		} else if from := p.fieldRef(); from.Field == ruleset.MetaMark || from.Field == ruleset.CTMark {
			o.From = from.Field
		} else {
			p.Unsupported(from.Pos, "found %s; expected a number, meta mark or ct mark; "+Subset, from.name)
		}
		o.Mask = ruleset.Ones(32)
	} else {
		o.Xor = ruleset.Num(p.number("a mark", 32))
	}
	for {
		t := p.peek()
		var word string
		switch {
		case t.is("&"), t.word("and"):
			word = "and"
		case t.is("|"), t.word("or"):
			word = "or"
		case t.is("^"), t.word("xor"):
			word = "xor"
		default:
			r.Ops = append(r.Ops, o)
			return
		}
		p.take()
		n := ruleset.Num(p.number("a number", 32))
		switch word {
		case "and":
			o.Mask, o.Xor = o.Mask.And(n), o.Xor.And(n)
		case "or": // x|n is x&^n^n
			not := ruleset.Ones(32).Xor(n)
			o.Mask, o.Xor = o.Mask.And(not), o.Xor.And(not).Xor(n)
		case "xor":
			o.Xor = o.Xor.Xor(n)
		}
	}
}
