package nft

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// RuleContext is what the matches so far say about a packet's protocols; a match that contradicts it is refused as nft
// refuses it.
type RuleContext struct {
	L3 packet.Kind // NotIP: nothing said
	L4 int         // -1: nothing said
}

// protocolFields are the fields behind the name of a header; ports are shared.
var protocolFields = map[string]map[string]ruleset.Field{
	"ip": {"saddr": ruleset.IP4Src, "daddr": ruleset.IP4Dst, "protocol": ruleset.IP4Protocol, "ttl": ruleset.IP4TTL, "dscp": ruleset.IP4DSCP, "frag-off": ruleset.IP4FragOff, "id": ruleset.IP4ID,
		"length": ruleset.IP4Length, "version": ruleset.IP4Version, "hdrlength": ruleset.IP4HeaderLength, "ecn": ruleset.IP4ECN},
	"ip6": {"saddr": ruleset.IP6Src, "daddr": ruleset.IP6Dst, "nexthdr": ruleset.IP6NextHeader, "hoplimit": ruleset.IP6HopLimit, "dscp": ruleset.IP6DSCP, "length": ruleset.IP6Length,
		"flowlabel": ruleset.IP6FlowLabel, "version": ruleset.IP6Version, "ecn": ruleset.IP6ECN},
	"tcp": {"sport": ruleset.TransportSrc, "dport": ruleset.TransportDst, "flags": ruleset.TCPFlags, "window": ruleset.TCPWindow, "sequence": ruleset.TCPSequence, "ackseq": ruleset.TCPAckSeq,
		"doff": ruleset.TCPDataOffset, "urgptr": ruleset.TCPUrgent, "checksum": ruleset.TCPChecksum},
	"udp":     {"sport": ruleset.TransportSrc, "dport": ruleset.TransportDst, "length": ruleset.UDPLength, "checksum": ruleset.UDPChecksum},
	"udplite": {"sport": ruleset.TransportSrc, "dport": ruleset.TransportDst},
	"sctp":    {"sport": ruleset.TransportSrc, "dport": ruleset.TransportDst},
	"dccp":    {"sport": ruleset.TransportSrc, "dport": ruleset.TransportDst},
	"th":      {"sport": ruleset.TransportSrc, "dport": ruleset.TransportDst},
	"icmp":    {"type": ruleset.ICMPType, "code": ruleset.ICMPCode, "id": ruleset.ICMPID, "sequence": ruleset.ICMPSequence},
	"icmpv6":  {"type": ruleset.ICMP6Type, "code": ruleset.ICMP6Code, "id": ruleset.ICMP6ID, "sequence": ruleset.ICMP6Sequence},
	"frag":    {"nexthdr": ruleset.FragNextHeader, "frag-off": ruleset.FragOffset, "more-fragments": ruleset.FragMore, "id": ruleset.FragID},
	"meta": {"l4proto": ruleset.MetaL4Proto, "nfproto": ruleset.MetaNFProto, "length": ruleset.MetaLength, "iifname": ruleset.InIface, "oifname": ruleset.OutIface, "iif": ruleset.InIface, "oif": ruleset.OutIface,
		"protocol": ruleset.MetaProtocol, "mark": ruleset.MetaMark, "pkttype": ruleset.PacketType},
	"ct":    {"state": ruleset.CTState, "status": ruleset.CTStatus, "direction": ruleset.CTDirection, "mark": ruleset.CTMark},
	"ether": {"type": ruleset.EtherType, "saddr": ruleset.EtherSrc, "daddr": ruleset.EtherDst},
	"vlan":  {"id": ruleset.VLANID},
}

var portProtocols = map[string]int{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP, "udplite": packet.ProtoUDPLite, "sctp": packet.ProtoSCTP, "dccp": 33}

// startsMatch reports whether t can start a match.
func startsMatch(t Token) bool {
	if t.Kind != TokenWord {
		return false
	}
	_, ok := protocolFields[t.Text]
	switch t.Text {
	case "iif", "oif", "iifname", "oifname", "exthdr", "l4proto", "nfproto", "pkttype", "mark":
		return true
	}
	return ok
}

// FieldRef is a field where a rule names it; l4 is the protocol whose header was named (`tcp dport`), or that of the field.
type FieldRef struct {
	Field ruleset.Field
	L4    int
	Pos   ruleset.Pos
	name  string
}

// fieldName takes the name of a field.
func (p *Parser) fieldName() ruleset.Field { return p.fieldRef().Field }

func (p *Parser) fieldRef() FieldRef {
	t := p.peek()
	ref := FieldRef{Pos: t.Pos}
	if !startsMatch(t) {
		p.expected("a field such as ip saddr, tcp dport or meta l4proto")
	}
	p.take()
	switch t.Text {
	case "iif", "oif", "iifname", "oifname", "l4proto", "nfproto", "pkttype", "mark":
		ref.Field = protocolFields["meta"][t.Text]
		ref.L4, ref.name = ruleset.NoProto, t.Text
		return ref
	case "exthdr":
		p.unsupportedField(t, p.peek(), "frag")
		if !p.acceptWord("frag") {
			p.expected("frag: other extension headers are not supported")
		}
		ref.Field, ref.L4, ref.name = ruleset.IP6HasFragment, ruleset.NoProto, "exthdr frag"
		return ref
	}
	of := protocolFields[t.Text]
	n := p.peek()
	if t.word("tcp") && n.word("option") {
		return p.optionRef(ref)
	}
	f, ok := of[n.Text]
	if n.Kind != TokenWord || !ok {
		known := wordList(of)
		p.unsupportedField(t, n, known)
		p.Fail(n.Pos, "found %s behind %s; expected %s", n.Found(), t.Text, known)
	}
	p.take()
	ref.Field, ref.L4, ref.name = f, ruleset.Fields[f].L4, t.Text+" "+n.Text
	if l4, ok := portProtocols[t.Text]; ok {
		ref.L4 = l4
	}
	return ref
}

// match parses one match and appends it with the matches that it implies.
func (p *Parser) match(r *ruleset.Rule, c *ruleset.Chain, ctx *RuleContext) {
	refs := []FieldRef{p.fieldRef()}
	for p.accept(".") {
		refs = append(refs, p.fieldRef())
	}
	if len(refs) > ruleset.MaxConcat {
		p.Fail(refs[ruleset.MaxConcat].Pos, "%d fields joined by dots; expected at most %d", len(refs), ruleset.MaxConcat)
	}
	for _, ref := range refs {
		p.Imply(r, c, ctx, ref)
	}
	if len(refs) == 1 && p.peek().word("set") {
		p.assign(r, refs[0])
		return
	}
	p.comparesMarks(refs)
	if len(refs) > 1 || p.peek().word("vmap") {
		p.lookup(r, refs, ruleset.U128{})
		return
	}
	p.compare(r, c, ctx, refs[0])
}

// comparesMarks notes that rules ask for marks, which then matter wherever they are set.
func (p *Parser) comparesMarks(refs []FieldRef) {
	for _, ref := range refs {
		p.marksCompared = p.marksCompared || ref.Field == ruleset.MetaMark || ref.Field == ruleset.CTMark
	}
}

// Imply appends the matches on protocols that nft adds before a match on ref.
func (p *Parser) Imply(r *ruleset.Rule, c *ruleset.Chain, ctx *RuleContext, ref FieldRef) {
	info := ruleset.Fields[ref.Field]
	if info.L3 != packet.NotIP {
		p.implyL3(r, ctx, info.L3, ref.Pos)
	}
	if ref.L4 >= 0 && ref.L4 < ruleset.AnyTransport {
		if ctx.L4 >= 0 && ctx.L4 != ref.L4 {
			p.Fail(ref.Pos, "conflicting protocols: %s behind a match on %s; expected one transport protocol in a rule", protoName(ref.L4), protoName(ctx.L4))
		}
		if ctx.L4 < 0 {
			ctx.L4 = ref.L4
			r.Ops = append(r.Ops, ruleset.Equals(ruleset.MetaL4Proto, uint64(ref.L4), ref.Pos))
		}
	}
	p.implyEcho(r, ref)
}

// implyEcho appends the match that nft adds before an identifier or sequence number of ICMP, which echoes alone have: on the two
// types of echo, unless the rule names a type already.
func (p *Parser) implyEcho(r *ruleset.Rule, ref FieldRef) {
	typ, types := ruleset.ICMPType, ruleset.Spans{{Lo: ruleset.Num(0), Hi: ruleset.Num(0)}, {Lo: ruleset.Num(8), Hi: ruleset.Num(8)}}
	switch ref.Field {
	case ruleset.ICMPID, ruleset.ICMPSequence:
	case ruleset.ICMP6ID, ruleset.ICMP6Sequence:
		typ, types = ruleset.ICMP6Type, ruleset.Spans{{Lo: ruleset.Num(128), Hi: ruleset.Num(129)}}
	default:
		return
	}
	for _, o := range r.Ops {
		if o.Kind != ruleset.OpMatch || o.Field != typ {
			continue
		}
		if o.Values != nil && len(o.Values.Normal().Intersect(types)) == 0 || len(o.Values.Intersect(types.Complement(ruleset.Ones(ruleset.Fields[typ].Bits)))) > 0 {
			p.Fail(ref.Pos, "%s behind a match on types without it; expected echo-request, echo-reply or both", ref.name)
		}
		return
	}
	r.Ops = append(r.Ops, ruleset.Op{Kind: ruleset.OpMatch, Pos: ref.Pos, Field: typ, Mask: ruleset.Ones(ruleset.Fields[typ].Bits), Values: types})
}

func (p *Parser) implyL3(r *ruleset.Rule, ctx *RuleContext, kind packet.Kind, at ruleset.Pos) {
	names := [...]string{packet.IPv4: "ip", packet.IPv6: "ip6"}
	if ctx.L3 != packet.NotIP && ctx.L3 != kind {
		p.Fail(at, "conflicting protocols: %s behind a match on %s; expected one network protocol in a rule", names[kind], names[ctx.L3])
	}
	if ctx.L3 == packet.NotIP {
		ctx.L3 = kind
		r.Ops = append(r.Ops, ruleset.Equals(ruleset.MetaNFProto, ruleset.NFProtoOf(kind), at))
	}
}

// otherProto is the name of protocols without a header of their own in the language.
const otherProto = "another protocol"

func protoName(n int) string {
	for _, k := range []string{"tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "udplite", "gre", "esp", "ah"} {
		if ruleset.ProtocolNames[k] == uint64(n) {
			return k
		}
	}
	return otherProto
}

// comparison operators, in both spellings.
var operators = map[string]string{
	"==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!": "!", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=",
}

// compare parses what follows a single field: mask, operator, values.
func (p *Parser) compare(r *ruleset.Rule, c *ruleset.Chain, ctx *RuleContext, ref FieldRef) {
	info := ruleset.Fields[ref.Field]
	m := ruleset.Op{Kind: ruleset.OpMatch, Pos: ref.Pos, Field: ref.Field, Mask: ruleset.Ones(info.Bits)}
	masked := p.accept("&") || p.acceptWord("and")
	if masked {
		m.Mask = p.mask(info)
		if p.peek().word("vmap") {
			p.lookup(r, []FieldRef{ref}, m.Mask)
			return
		}
	}
	rel, relAt := "", p.peek().Pos
	if t := p.peek(); t.Kind == tokPunct || t.Kind == TokenWord {
		if rel = operators[t.Text]; rel != "" {
			p.take()
		}
	}
	if t := p.peek(); masked && rel == "" && !t.is("{") && !t.is("@") {
		p.expected("a comparison such as == or != after the mask")
	}
	switch t := p.peek(); {
	case t.is("{") || t.is("@"):
		if rel != "" && rel != "==" && rel != "!=" {
			p.Fail(relAt, "a set behind %q; expected nothing, == or != before a set", rel)
		}
		p.inSetMatch(r, m, ref, rel == "!=")
		return
	case info.Kind.Bitmask():
		p.compareFlags(r, m, info, rel, relAt, masked)
		return
	}
	if rel == "!" {
		p.Fail(relAt, `found "!" before %s; expected != (a single ! is for flags)`, info.Kind)
	}
	m.Values = p.relation(info, rel, relAt)
	if rel != "!=" {
		ctx.noteKind(ref.Field, m.Values[0].Lo.Lo)
	}
	if v := m.Values; (rel == "" || rel == "==") && v[0].Lo == v[0].Hi && (ref.Field == ruleset.IP4Protocol || ref.Field == ruleset.MetaL4Proto || ref.Field == ruleset.IP6NextHeader) {
		if n := int(v[0].Lo.Lo); protoName(n) != otherProto {
			ctx.L4 = n
		}
	}
	r.Ops = append(r.Ops, m)
}

// noteKind notes the network protocol that a match of f with v leaves.
func (ctx *RuleContext) noteKind(f ruleset.Field, v uint64) {
	if ctx.L3 != packet.NotIP {
		return
	}
	switch {
	case f == ruleset.MetaNFProto && v == ruleset.NFProtoOf(packet.IPv4), (f == ruleset.MetaProtocol || f == ruleset.EtherType) && v == ruleset.EtherIPv4:
		ctx.L3 = packet.IPv4
	case f == ruleset.MetaNFProto && v == ruleset.NFProtoOf(packet.IPv6), (f == ruleset.MetaProtocol || f == ruleset.EtherType) && v == ruleset.EtherIPv6:
		ctx.L3 = packet.IPv6
	}
}

// mask parses the number, address or flags behind "&".
func (p *Parser) mask(info ruleset.FieldInfo) ruleset.U128 {
	if info.Kind.Bitmask() {
		return ruleset.Num(p.flags(info.Kind, false))
	}
	if info.Kind == ruleset.TypeAddr4 || info.Kind == ruleset.TypeAddr6 {
		return p.address(info.Kind)
	}
	return ruleset.Num(p.number("a mask", info.Bits))
}

// relation parses the value behind operator rel and returns the set of values that fit.
func (p *Parser) relation(info ruleset.FieldInfo, rel string, at ruleset.Pos) ruleset.Spans {
	top := ruleset.Ones(info.Bits)
	vt := p.peek()
	v := p.value(info.Kind)
	if v.Hi.Cmp(top) > 0 {
		p.Fail(vt.Pos, "%s is out of range; expected at most %d", vt.Text, top.Lo)
	}
	set := ruleset.Spans{v}
	switch rel {
	case "", "==":
		return set
	case "!=":
		return set.Complement(top)
	}
	if v.Lo != v.Hi {
		p.Fail(vt.Pos, "a range or prefix behind %q; expected a single value", rel)
	}
	return p.ordered(v, rel, top, vt)
}

// ordered returns the values that < > <= or >= leaves of those up to top.
func (p *Parser) ordered(v ruleset.Span, rel string, top ruleset.U128, vt Token) ruleset.Spans {
	switch rel {
	case "<":
		if v.Lo == (ruleset.U128{}) {
			p.Fail(vt.Pos, "nothing is below 0; expected a higher value")
		}
		return ruleset.Spans{{Lo: ruleset.U128{}, Hi: v.Lo.Prev()}}
	case ">":
		if v.Lo == top {
			p.Fail(vt.Pos, "nothing is above %s; expected a lower value", vt.Text)
		}
		return ruleset.Spans{{Lo: v.Lo.Next(), Hi: top}}
	case "<=":
		return ruleset.Spans{{Lo: ruleset.U128{}, Hi: v.Lo}}
	}
	return ruleset.Spans{{Lo: v.Lo, Hi: top}}
}

// compareFlags parses the right side of a match on flags: without an operator any of the flags listed will do, unless
// a mask follows behind a slash.
func (p *Parser) compareFlags(r *ruleset.Rule, m ruleset.Op, info ruleset.FieldInfo, rel string, at ruleset.Pos, masked bool) {
	vt := p.peek()
	v := ruleset.Num(p.flags(info.Kind, true))
	top := ruleset.Ones(info.Bits)
	exact := ruleset.Spans{{Lo: v, Hi: v}}
	switch {
	case p.accept("/"):
		if masked || rel != "" && rel != "==" && rel != "!=" {
			p.Fail(at, "a second mask; expected `& mask` or `/ mask`, not both")
		}
		m.Mask = ruleset.Num(p.flags(info.Kind, true))
		m.Values = exact
		if rel == "!=" {
			m.Values = exact.Complement(top)
		}
	case rel == "" || rel == "!":
		m.Mask = v
		m.Values = ruleset.Spans{{Lo: ruleset.Num(1), Hi: top}}
		if rel == "!" {
			m.Values = ruleset.Spans{{Lo: ruleset.U128{}, Hi: ruleset.U128{}}}
		}
	case rel == "==":
		m.Values = exact
	case rel == "!=":
		m.Values = exact.Complement(top)
	default:
		m.Values = p.ordered(ruleset.Span{Lo: v, Hi: v}, rel, top, vt)
	}
	if m.Field == ruleset.CTState && rel == "!=" && v.Lo&(v.Lo-1) != 0 {
		p.Warn(m.Pos, "a packet has one state, so it never equals several: this always matches; `ct state ! ...` or a set behind != is what excludes them")
	}
	r.Ops = append(r.Ops, m)
}
