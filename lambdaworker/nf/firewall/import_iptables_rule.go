package firewall

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

// tablesRule is a rule of iptables that is being read.
type tablesRule struct {
	*tables
	rule   *rule
	ctx    *ruleContext
	not    bool // "!" stands before the option
	target []op
}

// options reads the options of a rule up to the end of the line.
func (x *tablesRule) options() {
	for len(x.words) > 0 {
		w := x.word("an option")
		if w.text == "!" {
			x.not = true
			w = x.word("an option behind !")
		}
		f := tablesOptions[w.text]
		if f == nil {
			x.fail(w.pos, "option %q is not supported; see the table in README.md", w.text)
		}
		f(x, w)
		if x.not {
			x.fail(w.pos, `"!" before %s, which can't be negated`, w.text)
		}
	}
}

// negated returns whether the option is, and uses the mark up.
func (x *tablesRule) negated() bool {
	n := x.not
	x.not = false
	return n
}

// add appends a match on a field, with what it implies.
func (x *tablesRule) add(at position, f field, l4 int, mask u128, values spans) {
	x.imply(x.rule, nil, x.ctx, fieldRef{field: f, l4: l4, pos: at})
	values = values.normal()
	if x.negated() {
		values = values.complement(ones(fields[f].bits))
	}
	x.rule.ops = append(x.rule.ops, op{kind: opMatch, pos: at, field: f, mask: mask, values: values})
}

func (x *tablesRule) plain(at position, f field, values spans) {
	x.add(at, f, fields[f].l4, ones(fields[f].bits), values)
}

// transport is the protocol that -p named; options of tcp and udp need one.
func (x *tablesRule) transport(w token) int {
	if x.ctx.l4 < 0 {
		x.fail(w.pos, "%s without -p; expected -p with a protocol that has ports before it", w.text)
	}
	return x.ctx.l4
}

// tablesOptions are the options that are understood.
var tablesOptions map[string]func(*tablesRule, token)

func init() {
	src := func(x *tablesRule, w token) { x.address(ip4Src, ip6Src) }
	dst := func(x *tablesRule, w token) { x.address(ip4Dst, ip6Dst) }
	sport := func(x *tablesRule, w token) { x.portList(w, transportSrc) }
	dport := func(x *tablesRule, w token) { x.portList(w, transportDst) }
	state := func(x *tablesRule, w token) { x.states() }
	number := func(f4, f6 field, how string) func(*tablesRule, token) {
		return func(x *tablesRule, w token) { x.number(f4, f6, how) }
	}
	icmp := func(x *tablesRule, w token) { x.icmp() }
	to := func(kind verdictKind) func(*tablesRule, token) {
		return func(x *tablesRule, w token) { x.jump(kind) }
	}
	tablesOptions = map[string]func(*tablesRule, token){
		"-s": src, "--source": src, "--src": src, "-d": dst, "--destination": dst, "--dst": dst,
		"-p": (*tablesRule).protocol, "--protocol": (*tablesRule).protocol,
		"-i": (*tablesRule).in, "--in-interface": (*tablesRule).in, "-o": (*tablesRule).out, "--out-interface": (*tablesRule).out,
		"-f": (*tablesRule).fragment, "--fragment": (*tablesRule).fragment,
		"-m": (*tablesRule).module, "--match": (*tablesRule).module,
		"--sport": sport, "--source-port": sport, "--sports": sport, "--source-ports": sport,
		"--dport": dport, "--destination-port": dport, "--dports": dport, "--destination-ports": dport,
		"--tcp-flags": (*tablesRule).flags, "--syn": (*tablesRule).syn,
		"--icmp-type": icmp, "--icmpv6-type": icmp, "--state": state, "--ctstate": state,
		"--limit": (*tablesRule).limit, "--comment": (*tablesRule).comment,
		"--length": number(metaLength, metaLength, "range"), "--ttl-eq": number(ip4TTL, ip6HopLimit, "="), "--ttl-lt": number(ip4TTL, ip6HopLimit, "<"),
		"--ttl-gt": number(ip4TTL, ip6HopLimit, ">"), "--hl-eq": number(ip4TTL, ip6HopLimit, "="), "--hl-lt": number(ip4TTL, ip6HopLimit, "<"),
		"--hl-gt": number(ip4TTL, ip6HopLimit, ">"), "--dscp": number(ip4DSCP, ip6DSCP, "="), "--dscp-class": (*tablesRule).dscpClass,
		"--src-range": func(x *tablesRule, w token) { x.addressRange(ip4Src, ip6Src) },
		"--dst-type":  func(x *tablesRule, w token) { x.addressType(w, ip4Dst, ip6Dst) },
		"--src-type":  func(x *tablesRule, w token) { x.addressType(w, ip4Src, ip6Src) },
		"--dst-range": func(x *tablesRule, w token) { x.addressRange(ip4Dst, ip6Dst) },
		"-j":          to(jump), "--jump": to(jump), "-g": to(gotoChain), "--goto": to(gotoChain),
	}
}

func (x *tablesRule) pick(f4, f6 field) field {
	if x.family == familyIP6 {
		return f6
	}
	return f4
}

// one parses text with the value parser of nft text, at w's place.
func (x *tablesRule) one(w token, d datatype, text string) span {
	x.streams = []stream{{toks: lexNFT(w.pos.file, text, x.problem)}}
	toks := x.streams[0].toks
	for i := range toks {
		toks[i].pos = position{w.pos.file, w.pos.line, w.pos.col + toks[i].pos.col - 1}
	}
	s := x.value(d)
	if x.peek().kind != tokEOF {
		x.expected("%s", d)
	}
	return s
}

func (x *tablesRule) address(f4, f6 field) {
	w := x.word("an address")
	f := x.pick(f4, f6)
	text := w.text
	if a, mask, ok := strings.Cut(text, "/"); ok && strings.Contains(mask, ".") {
		m, err := netip.ParseAddr(mask)
		n := -1
		if err == nil && m.Is4() {
			v := uint32(addrValue(m).lo)
			for n = 0; n < 32 && v&(1<<(31-n)) != 0; n++ {
			}
			if v<<n != 0 {
				n = -1
			}
		}
		if n < 0 {
			x.fail(w.pos, "found the mask %q; expected a prefix length, or a mask of ones before zeros", mask)
		}
		text = a + "/" + string(appendInt(nil, n))
	}
	x.plain(w.pos, f, spans{x.one(w, fields[f].kind, text)})
}

func (x *tablesRule) addressRange(f4, f6 field) {
	w := x.word("a range of addresses")
	f := x.pick(f4, f6)
	x.plain(w.pos, f, spans{x.one(w, fields[f].kind, w.text)})
}

// addressType reads the kinds of address that say something about a packet of a wire: no address is the host's own.
func (x *tablesRule) addressType(w token, f4, f6 field) {
	v := x.word("a type of address")
	f := x.pick(f4, f6)
	var s spans
	switch {
	case v.text == "LOCAL":
	case v.text == "MULTICAST" && f == f4:
		s = spans{{num(0xe0000000), num(0xefffffff)}}
	case v.text == "MULTICAST":
		s = spans{{u128{hi: 0xff << 56}, ones(128)}}
	default:
		x.beyond(v.pos, "%s %s asks for the host's routes, which a wire has none of; expected LOCAL (never true here) or MULTICAST", w.text, v.text)
	}
	x.plain(v.pos, f, s)
}

func (x *tablesRule) protocol(token) {
	w := x.word("a protocol")
	if w.text == "all" {
		return
	}
	v := x.one(w, protocol, w.text)
	not := x.not
	x.plain(w.pos, metaL4Proto, spans{v})
	if !not {
		x.ctx.l4 = int(v.lo.lo)
	}
}

func (x *tablesRule) in(token) { x.port(inSide) }

func (x *tablesRule) out(token) { x.port(outSide) }

func (x *tablesRule) port(f field) {
	w := x.word("an interface")
	x.plain(w.pos, f, spans{x.sidesNamed(w.pos, w.text, "+")})
}

// fragment: later fragments only.
func (x *tablesRule) fragment(w token) {
	if x.family != familyIP {
		x.fail(w.pos, "-f is of IPv4; expected no -f in ip6tables")
	}
	x.add(w.pos, ip4FragOff, noProto, num(0x1fff), spans{{num(1), num(0xffff)}})
}

var tablesModules = strings.Fields("tcp udp sctp icmp icmp6 multiport state conntrack limit comment length ttl hl iprange dscp addrtype")

// beyondModules are those that iptables has beside them.
var beyondModules = strings.Fields(`
	ah bpf cgroup cluster connbytes connlabel connlimit connmark cpu dccp devgroup dst ecn esp eui64 frag hashlimit hbh helper ipcomp ipv6header
	ipvs mac mark mh nfacct osf owner physdev pkttype policy quota rateest realm recent rpfilter rt set socket srh statistic string tcpmss time tos u32`)

func (x *tablesRule) module(token) {
	w := x.word("a module")
	if slices.Contains(beyondModules, w.text) {
		x.beyond(w.pos, "module %q is iptables, but not of the subset that runs here; expected %s; "+subset, w.text, orList(tablesModules))
	}
	if !slices.Contains(tablesModules, w.text) {
		x.fail(w.pos, "no module is named %q; expected %s", w.text, orList(tablesModules))
	}
}

// portList reads 80, 1000:2000, :1023 or a list of those.
func (x *tablesRule) portList(w token, f field) {
	l4 := x.transport(w)
	v := x.word("a port")
	var s spans
	for _, text := range strings.Split(v.text, ",") {
		lo, hi, isRange := strings.Cut(text, ":")
		if isRange && lo == "" {
			lo = "0"
		}
		if isRange && hi == "" {
			hi = "65535"
		}
		r := x.one(v, service, lo)
		if isRange {
			r.hi = x.one(v, service, hi).hi
		}
		if r.hi.cmp(r.lo) < 0 {
			x.fail(v.pos, "found the range %q; expected its lower end first", text)
		}
		s = append(s, r)
	}
	if l4 >= anyTransport {
		l4 = anyTransport
	}
	x.add(v.pos, f, l4, ones(16), s)
}

func (x *tablesRule) flagList(w token) uint64 {
	switch w.text {
	case "ALL":
		return 0x3f
	case "NONE":
		return 0
	}
	return x.one(w, flagsOfTCP, strings.ToLower(strings.ReplaceAll(w.text, ",", "|"))).lo.lo
}

func (x *tablesRule) flags(w token) {
	mask := x.flagList(x.word("the flags to look at"))
	set := x.flagList(x.word("the flags that must be set"))
	x.add(w.pos, tcpFlags, packet.ProtoTCP, num(mask), spans{{num(set), num(set)}})
}

func (x *tablesRule) syn(w token) {
	x.add(w.pos, tcpFlags, packet.ProtoTCP, num(0x17), spans{{num(2), num(2)}})
}

// icmp reads a type and, behind a slash, a code.
func (x *tablesRule) icmp() {
	w := x.word("an ICMP type")
	typ, code := x.pick(icmpType, icmp6Type), x.pick(icmpCode, icmp6Code)
	if w.text == "any" || w.text == "255" {
		x.imply(x.rule, nil, x.ctx, fieldRef{field: typ, l4: fields[typ].l4, pos: w.pos})
		return
	}
	t, c, both := strings.Cut(w.text, "/")
	if n, ok := icmpCodeNames[strings.Replace(w.text, "protocol-", "prot-", 1)]; ok && x.family == familyIP {
		t, c, both = "destination-unreachable", string(appendInt(nil, int(n))), true
	}
	if both && x.not {
		x.fail(w.pos, `"!" before a type with a code; expected a type alone`)
	}
	x.plain(w.pos, typ, spans{x.one(w, fields[typ].kind, t)})
	if both {
		x.plain(w.pos, code, spans{x.one(w, fields[code].kind, c)})
	}
}

func (x *tablesRule) states() {
	w := x.word("states")
	v := x.one(w, stateOfCT, strings.ToLower(strings.ReplaceAll(w.text, ",", "|"))).lo
	values := spans{{num(1), ones(32)}}
	x.add(w.pos, ctState, noProto, v, values)
}

func (x *tablesRule) number(f4, f6 field, how string) {
	f := x.pick(f4, f6)
	w := x.word("a number")
	lo, hi, isRange := strings.Cut(w.text, ":")
	top := ones(fields[f].bits)
	if isRange && lo == "" {
		lo = "0"
	}
	s := x.one(w, integer, lo)
	if s.lo.cmp(top) > 0 {
		x.fail(w.pos, "%s is out of range; expected at most %d", lo, top.lo)
	}
	switch {
	case isRange && how != "range":
		x.fail(w.pos, "found a range; expected a number")
	case isRange && hi == "":
		s.hi = top
	case isRange:
		s.hi = x.one(w, integer, hi).lo
	case how == "<":
		if s.lo == num(0) {
			x.fail(w.pos, "nothing is below 0; expected a higher number")
		}
		s = span{u128{}, s.lo.prev()}
	case how == ">":
		if s.lo == top {
			x.fail(w.pos, "nothing is above %s; expected a lower number", w.text)
		}
		s = span{s.lo.next(), top}
	}
	x.plain(w.pos, f, spans{s})
}

func (x *tablesRule) dscpClass(token) {
	w := x.word("a class")
	x.plain(w.pos, x.pick(ip4DSCP, ip6DSCP), spans{x.one(w, dscp, strings.ToLower(w.text))})
}

var tablesUnits = map[string]uint64{"second": 1e9, "sec": 1e9, "s": 1e9, "minute": 60e9, "min": 60e9, "m": 60e9, "hour": 3600e9, "h": 3600e9, "day": 86400e9, "d": 86400e9}

func (x *tablesRule) limit(token) {
	w := x.word("a rate")
	n, unit, ok := strings.Cut(w.text, "/")
	rate, err := parseNumber(n)
	period, known := tablesUnits[unit]
	if !ok || err != nil || rate == 0 || !known {
		x.fail(w.pos, "found the rate %q; expected a number, / and second, minute, hour or day", w.text)
	}
	l := &limitSpec{rate: rate, period: period, burst: burstDefault}
	if len(x.words) > 1 && x.words[0].text == "--limit-burst" {
		x.word("")
		b := x.word("a burst")
		if l.burst, err = parseNumber(b.text); err != nil || l.burst == 0 || l.burst > 10000 {
			x.fail(b.pos, "found the burst %q; expected a number from 1 to 10000", b.text)
		}
	}
	x.rule.ops = append(x.rule.ops, op{kind: opLimit, pos: w.pos, limit: l})
}

func (x *tablesRule) comment(token) { x.rule.comment = x.word("a comment").text }
