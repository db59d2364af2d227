package nft

import (
	"cmp"
	"slices"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// typeNames are the types of set elements that nft names.
var typeNames = map[string]ruleset.Datatype{
	"ipv4_addr": ruleset.TypeAddr4, "ipv6_addr": ruleset.TypeAddr6, "inet_proto": ruleset.TypeProtocol, "inet_service": ruleset.TypeService, "nf_proto": ruleset.TypeNFProto, "tcp_flag": ruleset.TypeTCPFlags,
	"icmp_type": ruleset.TypeICMP, "icmpv6_type": ruleset.TypeICMP6, "icmp_code": ruleset.TypeICMPCode, "icmpv6_code": ruleset.TypeICMP6Code, "dscp": ruleset.TypeDSCP,
	"ct_state": ruleset.TypeCTState, "ifname": ruleset.TypeIfname, "iface_index": ruleset.TypeIfname, "ether_type": ruleset.TypeEtherType, "ecn": ruleset.TypeECN, "pkt_type": ruleset.TypePacketType,
	"ether_addr": ruleset.TypeEtherAddr, "mark": ruleset.TypeMark, "ct_status": ruleset.TypeCTStatus, "ct_dir": ruleset.TypeCTDirection,
}

// unsupportedTypes are those that nft has beside them.
var unsupportedTypes = strings.Fields("uid gid devgroup iface_type realm fib_addrtype day hour time cgroupsv2 icmpx_code arp_op ct_label ct_event arphrd classid string integer ether_proto ipv4_options")

// setBlock parses `set NAME { ... }` and `map NAME { ... }`, behind its first word.
func (p *Parser) setBlock(isMap bool) {
	name := p.expectWord("a set's name")
	s := &ruleset.Set{Name: name.Text, Pos: name.Pos, Verdicts: isMap}
	if p.Table.Sets[s.Name] != nil {
		p.Fail(name.Pos, "set %q is declared already; expected another name", s.Name)
	}
	p.Table.Sets[s.Name] = s
	p.expect("{")
	p.Diagnostics = &s.Diagnostics
	p.block("set "+s.Name, func() { p.inSet(s) })
	p.Diagnostics = nil
	p.end("the set")
	if s.Opaque {
		return
	}
	if len(s.Fields) == 0 {
		p.Fail(name.Pos, "set %q has no type; expected `type` or `typeof` in it", s.Name)
	}
	p.checkSet(s)
	p.checkTimeouts(s)
}

func (p *Parser) inSet(s *ruleset.Set) {
	if s.Opaque {
		p.skipObject()
		return
	}
	if p.common() {
		return
	}
	defer func() { // what is not understood of a set matters where rules use it
		if e := recover(); e != nil {
			s.Opaque = s.Opaque || len(s.Diagnostics) > 0
			panic(e)
		}
	}()
	t := p.peek()
	switch {
	case t.word("type"):
		p.take()
		s.Fields, s.TypeName = p.typeList()
		p.mapTarget(s)
	case t.word("typeof"):
		p.take()
		for ok := true; ok; ok = p.accept(".") {
			f := p.fieldName()
			s.Fields = append(s.Fields, ruleset.Fields[f].Kind)
		}
		p.mapTarget(s)
	case t.word("flags"):
		p.take()
		for ok := true; ok; ok = p.accept(",") {
			switch f := p.expectWord("interval, constant, timeout or dynamic"); f.Text {
			case "interval":
				s.Interval = true
			case "constant", "timeout", "dynamic": // what changes elements is refused where it stands
			default:
				p.Fail(f.Pos, "no flag of sets is named %q; expected interval, constant, timeout or dynamic", f.Text)
			}
		}
	case t.word("auto-merge"):
		p.take()
		s.Merge = true
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
		if len(s.Fields) == 0 {
			p.Fail(t.Pos, "elements of set %q come before its type; expected `type` above them", s.Name)
		}
		p.take()
		p.expect("=")
		p.setElements(s)
	case t.word("timeout"):
		s.Timeout = p.take().Pos
		p.duration()
	case t.word("gc-interval"):
		p.take()
		p.duration()
	case t.word("counter"):
		p.take()
		p.Warn(t.Pos, "elements of set %s are not counted one by one: rules count; the set matches as it would", s.Name)
	default:
		p.expected("type, typeof, flags, auto-merge, size, policy, comment or elements")
	}
	p.end("the set's property")
}

func (p *Parser) mapTarget(s *ruleset.Set) {
	if !s.Verdicts {
		return
	}
	p.expect(":")
	if t := p.expectWord("verdict"); t.Text != "verdict" {
		p.Unsupported(t.Pos, "maps to %s are not supported; expected verdict; "+Subset, t.Text)
	}
}

func (p *Parser) typeList() (ds []ruleset.Datatype, name string) {
	var names []string
	for ok := true; ok; ok = p.accept(".") {
		t := p.expectWord("a type")
		d, known := typeNames[t.Text]
		if slices.Contains(unsupportedTypes, t.Text) {
			p.Unsupported(t.Pos, "sets of type %q are nftables, but not of the subset that runs here; expected %s; "+Subset, t.Text, wordList(typeNames))
		}
		if !known {
			p.Fail(t.Pos, "sets of type %q are not supported; expected %s", t.Text, wordList(typeNames))
		}
		ds, names = append(ds, d), append(names, t.Text)
	}
	return ds, strings.Join(names, " . ")
}

// setElements parses `{ element, ... }` of a named set.
func (p *Parser) setElements(s *ruleset.Set) {
	was := p.Diagnostics
	p.Diagnostics = &s.Diagnostics
	defer func() { p.Diagnostics = was }()
	s.Elements = append(s.Elements, p.elementList(s.Fields, s.Verdicts, nil, s)...)
	for _, e := range s.Elements {
		for _, x := range e.Spans {
			if x.Lo != x.Hi && !s.Interval && !e.CatchAll {
				p.Fail(e.Pos, "a range or prefix in set %q, which has no `flags interval`; expected a single value or that flag", s.Name)
			}
		}
	}
}

// elementList parses `{ a, b-c, d/8 }`, with `: verdict` behind each if verdicts. into collects the elements of nested
// lists, which come from variables.
func (p *Parser) elementList(kinds []ruleset.Datatype, verdicts bool, into []ruleset.Element, of *ruleset.Set) []ruleset.Element {
	open := p.expect("{")
	if p.depth > maxBraces {
		p.Fail(open.Pos, "braces are nested %d deep; expected at most %d", p.depth, maxBraces)
	}
	p.skipBreaks()
	if p.peek().is("}") {
		p.expected("an element")
	}
	for !p.peek().is("}") {
		if p.peek().Kind == tokEOF {
			p.Fail(open.Pos, "a list of elements starts here and does not end; expected a closing brace")
		}
		if p.peek().is("{") {
			into = p.elementList(kinds, verdicts, into, of)
		} else {
			e := ruleset.Element{Pos: p.peek().Pos}
			if e.CatchAll = p.accept("*"); e.CatchAll {
				for _, k := range kinds {
					e.Spans = append(e.Spans, ruleset.Span{Hi: ruleset.Ones(k.Bits())})
				}
			} else {
				p.elementKey(&e, kinds)
			}
			p.elementOptions(of)
			if verdicts {
				p.skipBreaks()
				p.expect(":")
				p.skipBreaks()
				v := p.verdict()
				e.Verdict = &v
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
func (p *Parser) checkSet(s *ruleset.Set) {
	if s.Merge && !s.Verdicts || len(s.Fields) > 1 {
		return
	}
	p.checkOverlap(s.Elements, s.Verdicts)
}

func (p *Parser) checkOverlap(elements []ruleset.Element, verdicts bool) {
	sorted := slices.DeleteFunc(slices.Clone(elements), func(e ruleset.Element) bool { return e.CatchAll })
	slices.SortStableFunc(sorted, func(a, b ruleset.Element) int {
		return cmp.Or(a.Spans[0].Lo.Cmp(b.Spans[0].Lo), b.Spans[0].Hi.Cmp(a.Spans[0].Hi))
	})
	for i := 1; i < len(sorted); i++ {
		a, b := sorted[i-1], sorted[i]
		if b.Spans[0].Lo.Cmp(a.Spans[0].Hi) <= 0 && (verdicts || a.Spans[0] != b.Spans[0]) {
			if b.Pos.Line < a.Pos.Line || b.Pos.Line == a.Pos.Line && b.Pos.Col < a.Pos.Col {
				a, b = b, a
			}
			p.Problem(b.Pos, "this element overlaps the one at %d:%d; expected disjoint elements, or `auto-merge` in the set", a.Pos.Line, a.Pos.Col)
			return
		}
	}
}
