package firewall

import (
	"github.com/granule-nf/granule/ingress/packet"
)

// ruleContext is what the matches so far say about a packet's protocols; a match that contradicts it is refused as nft
// refuses it.
type ruleContext struct {
	l3 packet.Kind // NotIP: nothing said
	l4 int         // -1: nothing said
}

// protocolFields are the fields behind the name of a header; ports are shared.
var protocolFields = map[string]map[string]field{
	"ip": {"saddr": ip4Src, "daddr": ip4Dst, "protocol": ip4Protocol, "ttl": ip4TTL, "dscp": ip4DSCP, "frag-off": ip4FragOff, "id": ip4ID,
		"length": ip4Length, "version": ip4Version, "hdrlength": ip4HeaderLength, "ecn": ip4ECN},
	"ip6": {"saddr": ip6Src, "daddr": ip6Dst, "nexthdr": ip6NextHeader, "hoplimit": ip6HopLimit, "dscp": ip6DSCP, "length": ip6Length,
		"flowlabel": ip6FlowLabel, "version": ip6Version, "ecn": ip6ECN},
	"tcp": {"sport": transportSrc, "dport": transportDst, "flags": tcpFlags, "window": tcpWindow, "sequence": tcpSequence, "ackseq": tcpAckSeq,
		"doff": tcpDataOffset, "urgptr": tcpUrgent, "checksum": tcpChecksum},
	"udp":     {"sport": transportSrc, "dport": transportDst, "length": udpLength, "checksum": udpChecksum},
	"udplite": {"sport": transportSrc, "dport": transportDst},
	"sctp":    {"sport": transportSrc, "dport": transportDst},
	"dccp":    {"sport": transportSrc, "dport": transportDst},
	"th":      {"sport": transportSrc, "dport": transportDst},
	"icmp":    {"type": icmpType, "code": icmpCode, "id": icmpID, "sequence": icmpSequence},
	"icmpv6":  {"type": icmp6Type, "code": icmp6Code, "id": icmp6ID, "sequence": icmp6Sequence},
	"frag":    {"nexthdr": fragNextHeader, "frag-off": fragOffset, "more-fragments": fragMore, "id": fragID},
	"meta": {"l4proto": metaL4Proto, "nfproto": metaNFProto, "length": metaLength, "iifname": inSide, "oifname": outSide, "iif": inSide, "oif": outSide,
		"protocol": metaProtocol, "pkttype": packetType},
	"ct":    {"state": ctState},
	"ether": {"type": etherType},
	"vlan":  {"id": vlanID},
}

var portProtocols = map[string]int{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP, "udplite": packet.ProtoUDPLite, "sctp": packet.ProtoSCTP, "dccp": 33}

// startsMatch reports whether t can start a match.
func startsMatch(t token) bool {
	if t.kind != tokWord {
		return false
	}
	_, ok := protocolFields[t.text]
	switch t.text {
	case "iif", "oif", "iifname", "oifname", "exthdr", "l4proto", "nfproto", "pkttype":
		return true
	}
	return ok
}

// fieldRef is a field where a rule names it; l4 is the protocol whose header was named (`tcp dport`), or that of the field.
type fieldRef struct {
	field field
	l4    int
	pos   position
	name  string
}

// fieldName takes the name of a field.
func (p *parser) fieldName() field { return p.fieldRef().field }

func (p *parser) fieldRef() fieldRef {
	t := p.peek()
	ref := fieldRef{pos: t.pos}
	if !startsMatch(t) {
		p.expected("a field such as ip saddr, tcp dport or meta l4proto")
	}
	p.take()
	switch t.text {
	case "iif", "oif", "iifname", "oifname", "l4proto", "nfproto", "pkttype":
		ref.field = protocolFields["meta"][t.text]
		ref.l4, ref.name = noProto, t.text
		return ref
	case "exthdr":
		p.beyondHeader(t, p.peek(), "frag")
		if !p.acceptWord("frag") {
			p.expected("frag: other extension headers are not supported")
		}
		ref.field, ref.l4, ref.name = ip6HasFragment, noProto, "exthdr frag"
		return ref
	}
	of := protocolFields[t.text]
	n := p.peek()
	f, ok := of[n.text]
	if n.kind != tokWord || !ok {
		known := wordList(of)
		p.beyondHeader(t, n, known)
		p.fail(n.pos, "found %s behind %s; expected %s", n.found(), t.text, known)
	}
	p.take()
	ref.field, ref.l4, ref.name = f, fields[f].l4, t.text+" "+n.text
	if l4, ok := portProtocols[t.text]; ok {
		ref.l4 = l4
	}
	return ref
}

// maxConcat is how many fields a concatenation may have; nft's registers hold about as many.
const maxConcat = 5

// match parses one match and appends it with the matches that it implies.
func (p *parser) match(r *rule, c *chain, ctx *ruleContext) {
	refs := []fieldRef{p.fieldRef()}
	for p.accept(".") {
		refs = append(refs, p.fieldRef())
	}
	if len(refs) > maxConcat {
		p.fail(refs[maxConcat].pos, "%d fields joined by dots; expected at most %d", len(refs), maxConcat)
	}
	for _, ref := range refs {
		p.imply(r, c, ctx, ref)
	}
	if len(refs) > 1 || p.peek().word("vmap") {
		p.lookup(r, refs)
		return
	}
	p.compare(r, c, ctx, refs[0])
}

// imply appends the matches on protocols that nft adds before a match on ref.
func (p *parser) imply(r *rule, c *chain, ctx *ruleContext, ref fieldRef) {
	info := fields[ref.field]
	if info.l3 != packet.NotIP {
		p.implyL3(r, ctx, info.l3, ref.pos)
	}
	if ref.l4 >= 0 && ref.l4 < anyTransport {
		if ctx.l4 >= 0 && ctx.l4 != ref.l4 {
			p.fail(ref.pos, "conflicting protocols: %s behind a match on %s; expected one transport protocol in a rule", protoName(ref.l4), protoName(ctx.l4))
		}
		if ctx.l4 < 0 {
			ctx.l4 = ref.l4
			r.ops = append(r.ops, equals(metaL4Proto, uint64(ref.l4), ref.pos))
		}
	}
	p.implyEcho(r, ref)
}

// implyEcho appends the match that nft adds before an identifier or sequence number of ICMP, which echoes alone have: on the two
// types of echo, unless the rule names a type already.
func (p *parser) implyEcho(r *rule, ref fieldRef) {
	typ, types := icmpType, spans{{num(0), num(0)}, {num(8), num(8)}}
	switch ref.field {
	case icmpID, icmpSequence:
	case icmp6ID, icmp6Sequence:
		typ, types = icmp6Type, spans{{num(128), num(129)}}
	default:
		return
	}
	for _, o := range r.ops {
		if o.kind != opMatch || o.field != typ {
			continue
		}
		if o.values != nil && len(o.values.normal().intersect(types)) == 0 || len(o.values.intersect(types.complement(ones(fields[typ].bits)))) > 0 {
			p.fail(ref.pos, "%s behind a match on types without it; expected echo-request, echo-reply or both", ref.name)
		}
		return
	}
	r.ops = append(r.ops, op{kind: opMatch, pos: ref.pos, field: typ, mask: ones(fields[typ].bits), values: types})
}

func (p *parser) implyL3(r *rule, ctx *ruleContext, kind packet.Kind, at position) {
	names := [...]string{packet.IPv4: "ip", packet.IPv6: "ip6"}
	if ctx.l3 != packet.NotIP && ctx.l3 != kind {
		p.fail(at, "conflicting protocols: %s behind a match on %s; expected one network protocol in a rule", names[kind], names[ctx.l3])
	}
	if ctx.l3 == packet.NotIP {
		ctx.l3 = kind
		r.ops = append(r.ops, equals(metaNFProto, nfprotoOf(kind), at))
	}
}

func nfprotoOf(k packet.Kind) uint64 {
	if k == packet.IPv4 {
		return 2
	}
	return 10
}

// otherProto is the name of protocols without a header of their own in the language.
const otherProto = "another protocol"

func protoName(n int) string {
	for _, k := range []string{"tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "udplite", "gre", "esp", "ah"} {
		if protocolNames[k] == uint64(n) {
			return k
		}
	}
	return otherProto
}

func equals(f field, v uint64, at position) op {
	return op{kind: opMatch, pos: at, field: f, mask: ones(fields[f].bits), values: spans{{num(v), num(v)}}}
}

// comparison operators, in both spellings.
var operators = map[string]string{
	"==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!": "!", "eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=",
}

// compare parses what follows a single field: mask, operator, values.
func (p *parser) compare(r *rule, c *chain, ctx *ruleContext, ref fieldRef) {
	info := fields[ref.field]
	m := op{kind: opMatch, pos: ref.pos, field: ref.field, mask: ones(info.bits)}
	masked := p.accept("&")
	if masked {
		m.mask = p.mask(info)
	}
	rel, relAt := "", p.peek().pos
	if t := p.peek(); t.kind == tokPunct || t.kind == tokWord {
		if rel = operators[t.text]; rel != "" {
			p.take()
		}
	}
	if masked && rel == "" {
		p.expected("a comparison such as == or != after the mask")
	}
	switch t := p.peek(); {
	case t.is("{") || t.is("@"):
		if rel != "" && rel != "==" && rel != "!=" || masked {
			p.fail(relAt, "a set behind %q; expected nothing, == or != before a set, and no mask", rel)
		}
		p.inSetMatch(r, m, ref, rel == "!=")
		return
	case info.kind.bitmask():
		p.compareFlags(r, m, info, rel, relAt, masked)
		return
	}
	if rel == "!" {
		p.fail(relAt, `found "!" before %s; expected != (a single ! is for flags)`, info.kind)
	}
	m.values = p.relation(info, rel, relAt)
	if rel != "!=" {
		ctx.noteKind(ref.field, m.values[0].lo.lo)
	}
	if v := m.values; (rel == "" || rel == "==") && v[0].lo == v[0].hi && (ref.field == ip4Protocol || ref.field == metaL4Proto || ref.field == ip6NextHeader) {
		if n := int(v[0].lo.lo); protoName(n) != otherProto {
			ctx.l4 = n
		}
	}
	r.ops = append(r.ops, m)
}

// noteKind notes the network protocol that a match of f with v leaves.
func (ctx *ruleContext) noteKind(f field, v uint64) {
	if ctx.l3 != packet.NotIP {
		return
	}
	switch {
	case f == metaNFProto && v == nfprotoOf(packet.IPv4), (f == metaProtocol || f == etherType) && v == etherIPv4:
		ctx.l3 = packet.IPv4
	case f == metaNFProto && v == nfprotoOf(packet.IPv6), (f == metaProtocol || f == etherType) && v == etherIPv6:
		ctx.l3 = packet.IPv6
	}
}

// mask parses the number, address or flags behind "&".
func (p *parser) mask(info fieldInfo) u128 {
	if info.kind.bitmask() {
		return num(p.flags(info.kind, false))
	}
	if info.kind == addr4 || info.kind == addr6 {
		return p.address(info.kind)
	}
	return num(p.number("a mask", info.bits))
}

// relation parses the value behind operator rel and returns the set of values that fit.
func (p *parser) relation(info fieldInfo, rel string, at position) spans {
	top := ones(info.bits)
	vt := p.peek()
	v := p.value(info.kind)
	if v.hi.cmp(top) > 0 {
		p.fail(vt.pos, "%s is out of range; expected at most %d", vt.text, top.lo)
	}
	set := spans{v}
	switch rel {
	case "", "==":
		return set
	case "!=":
		return set.complement(top)
	}
	if v.lo != v.hi {
		p.fail(vt.pos, "a range or prefix behind %q; expected a single value", rel)
	}
	switch rel {
	case "<":
		if v.lo == (u128{}) {
			p.fail(vt.pos, "nothing is below 0; expected a higher value")
		}
		return spans{{u128{}, v.lo.prev()}}
	case ">":
		if v.lo == top {
			p.fail(vt.pos, "nothing is above %s; expected a lower value", vt.text)
		}
		return spans{{v.lo.next(), top}}
	case "<=":
		return spans{{u128{}, v.lo}}
	}
	return spans{{v.lo, top}}
}

// compareFlags parses the right side of a match on flags: without an operator any of the flags listed will do, unless
// a mask follows behind a slash.
func (p *parser) compareFlags(r *rule, m op, info fieldInfo, rel string, at position, masked bool) {
	v := num(p.flags(info.kind, true))
	top := ones(info.bits)
	exact := spans{{v, v}}
	switch {
	case p.accept("/"):
		if masked || rel != "" && rel != "==" && rel != "!=" {
			p.fail(at, "a second mask; expected `& mask` or `/ mask`, not both")
		}
		m.mask = num(p.flags(info.kind, true))
		m.values = exact
		if rel == "!=" {
			m.values = exact.complement(top)
		}
	case rel == "" || rel == "!":
		m.mask = v
		m.values = spans{{num(1), top}}
		if rel == "!" {
			m.values = spans{{u128{}, u128{}}}
		}
	case rel == "==":
		m.values = exact
	case rel == "!=":
		m.values = exact.complement(top)
	default:
		p.fail(at, "found %q before flags; expected nothing, ==, != or !", rel)
	}
	if m.field == ctState && rel == "!=" && v.lo&(v.lo-1) != 0 {
		p.warn(m.pos, "a packet has one state, so it never equals several: this always matches; `ct state ! ...` or a set behind != is what excludes them")
	}
	r.ops = append(r.ops, m)
}
