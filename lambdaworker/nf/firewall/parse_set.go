package firewall

import (
	"cmp"
	"slices"
	"strings"
)

// typeNames are the types of set elements that nft names.
var typeNames = map[string]datatype{
	"ipv4_addr": addr4, "ipv6_addr": addr6, "inet_proto": protocol, "inet_service": service, "nf_proto": nfproto, "tcp_flag": flagsOfTCP,
	"icmp_type": typeOfICMP, "icmpv6_type": typeOfICMP6, "icmp_code": codeOfICMP, "icmpv6_code": codeOfICMP6, "dscp": dscp,
	"ct_state": stateOfCT, "ifname": sideName, "iface_index": sideName, "ether_type": ethertype, "ecn": ecn, "pkt_type": pktType,
}

// setBlock parses `set NAME { ... }` and `map NAME { ... }`, behind its first word.
func (p *parser) setBlock(isMap bool) {
	name := p.expectWord("a set's name")
	s := &set{name: name.text, pos: name.pos, verdicts: isMap}
	if p.table.sets[s.name] != nil {
		p.fail(name.pos, "set %q is declared already; expected another name", s.name)
	}
	p.table.sets[s.name] = s
	p.expect("{")
	p.block("set "+s.name, func() { p.inSet(s) })
	p.end("the set")
	if len(s.fields) == 0 {
		p.fail(name.pos, "set %q has no type; expected `type` or `typeof` in it", s.name)
	}
	p.checkSet(s)
	p.checkTimeouts(s)
}

func (p *parser) inSet(s *set) {
	if p.common() {
		return
	}
	t := p.peek()
	switch {
	case t.word("type"):
		p.take()
		s.fields, s.typeName = p.typeList()
		p.mapTarget(s)
	case t.word("typeof"):
		p.take()
		for ok := true; ok; ok = p.accept(".") {
			f := p.fieldName()
			s.fields = append(s.fields, fields[f].kind)
		}
		p.mapTarget(s)
	case t.word("flags"):
		p.take()
		for ok := true; ok; ok = p.accept(",") {
			switch f := p.expectWord("interval, constant, timeout or dynamic"); f.text {
			case "interval":
				s.interval = true
			case "constant", "timeout", "dynamic": // what changes elements is refused where it stands
			default:
				p.fail(f.pos, "no flag of sets is named %q; expected interval, constant, timeout or dynamic", f.text)
			}
		}
	case t.word("auto-merge"):
		p.take()
		s.merge = true
	case t.word("size"):
		p.take()
		p.number("a number of elements", 32)
	case t.word("policy"):
		p.take()
		p.expectWord("memory or performance")
	case t.word("comment"):
		p.take()
		p.comment()
	case t.word("elements"):
		if len(s.fields) == 0 {
			p.fail(t.pos, "elements of set %q come before its type; expected `type` above them", s.name)
		}
		p.take()
		p.expect("=")
		p.setElements(s)
	case t.word("timeout"):
		s.timeout = p.take().pos
		p.duration()
	case t.word("gc-interval"):
		p.take()
		p.duration()
	case t.word("counter"):
		p.take()
		p.warn(t.pos, "elements of set %s are not counted one by one: rules count; the set matches as it would", s.name)
	default:
		p.expected("type, typeof, flags, auto-merge, size, policy, comment or elements")
	}
	p.end("the set's property")
}

func (p *parser) mapTarget(s *set) {
	if !s.verdicts {
		return
	}
	p.expect(":")
	if t := p.expectWord("verdict"); t.text != "verdict" {
		p.fail(t.pos, "maps to %s are not supported; expected verdict", t.text)
	}
}

func (p *parser) typeList() (ds []datatype, name string) {
	var names []string
	for ok := true; ok; ok = p.accept(".") {
		t := p.expectWord("a type")
		d, known := typeNames[t.text]
		if !known {
			p.fail(t.pos, "sets of type %q are not supported; expected %s", t.text, wordList(typeNames))
		}
		ds, names = append(ds, d), append(names, t.text)
	}
	return ds, strings.Join(names, " . ")
}

// setElements parses `{ element, ... }` of a named set.
func (p *parser) setElements(s *set) {
	p.remarks = &s.remarks
	defer func() { p.remarks = nil }()
	s.elements = append(s.elements, p.elementList(s.fields, s.verdicts, nil, s)...)
	for _, e := range s.elements {
		for _, x := range e.spans {
			if x.lo != x.hi && !s.interval && !e.rest {
				p.fail(e.pos, "a range or prefix in set %q, which has no `flags interval`; expected a single value or that flag", s.name)
			}
		}
	}
}

// elementList parses `{ a, b-c, d/8 }`, with `: verdict` behind each if verdicts. into collects the elements of nested
// lists, which come from variables.
func (p *parser) elementList(kinds []datatype, verdicts bool, into []element, of *set) []element {
	open := p.expect("{")
	p.skipBreaks()
	if p.peek().is("}") {
		p.expected("an element")
	}
	for !p.peek().is("}") {
		if p.peek().kind == tokEOF {
			p.fail(open.pos, "a list of elements starts here and does not end; expected a closing brace")
		}
		if p.peek().is("{") {
			into = p.elementList(kinds, verdicts, into, of)
		} else {
			e := element{pos: p.peek().pos}
			if e.rest = p.accept("*"); e.rest {
				for _, k := range kinds {
					e.spans = append(e.spans, span{hi: ones(k.bits())})
				}
			} else {
				p.elementKey(&e, kinds)
			}
			p.elementOptions(of)
			if verdicts {
				p.skipBreaks()
				p.expect(":")
				p.skipBreaks()
				e.verdict = p.verdict()
			}
			into = append(into, e)
		}
		p.skipBreaks()
		if !p.accept(",") {
			break
		}
		p.skipBreaks()
	}
	if !p.peek().is("}") {
		p.expected(`"," or "}" after an element`)
	}
	p.take()
	return into
}

// checkSet refuses elements that overlap, as nft does unless the set says auto-merge; the same element twice is allowed.
func (p *parser) checkSet(s *set) {
	if s.merge && !s.verdicts || len(s.fields) > 1 {
		return
	}
	p.checkOverlap(s.elements, s.verdicts)
}

func (p *parser) checkOverlap(elements []element, verdicts bool) {
	sorted := slices.DeleteFunc(slices.Clone(elements), func(e element) bool { return e.rest })
	slices.SortStableFunc(sorted, func(a, b element) int {
		return cmp.Or(a.spans[0].lo.cmp(b.spans[0].lo), b.spans[0].hi.cmp(a.spans[0].hi))
	})
	for i := 1; i < len(sorted); i++ {
		a, b := sorted[i-1], sorted[i]
		if b.spans[0].lo.cmp(a.spans[0].hi) <= 0 && (verdicts || a.spans[0] != b.spans[0]) {
			if b.pos.line < a.pos.line || b.pos.line == a.pos.line && b.pos.col < a.pos.col {
				a, b = b, a
			}
			p.problem(b.pos, "this element overlaps the one at %d:%d; expected disjoint elements, or `auto-merge` in the set", a.pos.line, a.pos.col)
			return
		}
	}
}
