package iptables

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// rule is a rule of iptables that is being read.
type rule struct {
	*file
	rule   *ruleset.Rule
	ctx    *nft.RuleContext
	not    bool // "!" stands before the option
	target []ruleset.Op
}

// options reads the options of a rule up to the end of the line.
func (x *rule) options() {
	for len(x.words) > 0 {
		w := x.word("an option")
		if w.Text == "!" {
			x.not = true
			w = x.word("an option behind !")
		}
		f := options[w.Text]
		if f == nil {
			x.Unsupported(w.Pos, "option %q is not supported; "+nft.Subset, w.Text)
		}
		f(x, w)
		if x.not {
			x.Fail(w.Pos, `"!" before %s, which can't be negated`, w.Text)
		}
	}
}

// negated returns whether the option is, and uses the mark up.
func (x *rule) negated() bool {
	n := x.not
	x.not = false
	return n
}

// add appends a match on a field, with what it implies.
func (x *rule) add(at ruleset.Pos, f ruleset.Field, l4 int, mask ruleset.U128, values ruleset.Spans) {
	x.Imply(x.rule, nil, x.ctx, nft.FieldRef{Field: f, L4: l4, Pos: at})
	values = values.Normal()
	if x.negated() {
		values = values.Complement(ruleset.Ones(ruleset.Fields[f].Bits))
	}
	x.rule.Ops = append(x.rule.Ops, ruleset.Op{Kind: ruleset.OpMatch, Pos: at, Field: f, Mask: mask, Values: values})
}

func (x *rule) plain(at ruleset.Pos, f ruleset.Field, values ruleset.Spans) {
	x.add(at, f, ruleset.Fields[f].L4, ruleset.Ones(ruleset.Fields[f].Bits), values)
}

// transport is the protocol that -p named; options of tcp and udp need one.
func (x *rule) transport(w nft.Token) int {
	if x.ctx.L4 < 0 {
		x.Fail(w.Pos, "%s without -p; expected -p with a protocol that has ports before it", w.Text)
	}
	return x.ctx.L4
}

// options are the options that are understood.
var options map[string]func(*rule, nft.Token)

func init() {
	src := func(x *rule, w nft.Token) { x.address(ruleset.IP4Src, ruleset.IP6Src) }
	dst := func(x *rule, w nft.Token) { x.address(ruleset.IP4Dst, ruleset.IP6Dst) }
	sport := func(x *rule, w nft.Token) { x.portList(w, ruleset.TransportSrc) }
	dport := func(x *rule, w nft.Token) { x.portList(w, ruleset.TransportDst) }
	state := func(x *rule, w nft.Token) { x.states() }
	number := func(f4, f6 ruleset.Field, how string) func(*rule, nft.Token) {
		return func(x *rule, w nft.Token) { x.number(f4, f6, how) }
	}
	icmp := func(x *rule, w nft.Token) { x.icmp() }
	to := func(kind ruleset.VerdictKind) func(*rule, nft.Token) {
		return func(x *rule, w nft.Token) { x.jump(kind) }
	}
	options = map[string]func(*rule, nft.Token){
		"-s": src, "--source": src, "--src": src, "-d": dst, "--destination": dst, "--dst": dst,
		"-p": (*rule).protocol, "--protocol": (*rule).protocol,
		"-i": (*rule).in, "--in-interface": (*rule).in, "-o": (*rule).out, "--out-interface": (*rule).out,
		"-f": (*rule).fragment, "--fragment": (*rule).fragment,
		"-m": (*rule).module, "--match": (*rule).module,
		"--sport": sport, "--source-port": sport, "--sports": sport, "--source-ports": sport,
		"--dport": dport, "--destination-port": dport, "--dports": dport, "--destination-ports": dport,
		"--tcp-flags": (*rule).flags, "--syn": (*rule).syn,
		"--icmp-type": icmp, "--icmpv6-type": icmp, "--state": state, "--ctstate": state,
		"--limit": (*rule).limit, "--comment": (*rule).comment,
		"--length": number(ruleset.MetaLength, ruleset.MetaLength, "range"), "--ttl-eq": number(ruleset.IP4TTL, ruleset.IP6HopLimit, "="), "--ttl-lt": number(ruleset.IP4TTL, ruleset.IP6HopLimit, "<"),
		"--ttl-gt": number(ruleset.IP4TTL, ruleset.IP6HopLimit, ">"), "--hl-eq": number(ruleset.IP4TTL, ruleset.IP6HopLimit, "="), "--hl-lt": number(ruleset.IP4TTL, ruleset.IP6HopLimit, "<"),
		"--hl-gt": number(ruleset.IP4TTL, ruleset.IP6HopLimit, ">"), "--dscp": number(ruleset.IP4DSCP, ruleset.IP6DSCP, "="), "--dscp-class": (*rule).dscpClass,
		"--src-range": func(x *rule, w nft.Token) { x.addressRange(ruleset.IP4Src, ruleset.IP6Src) },
		"--dst-type":  func(x *rule, w nft.Token) { x.addressType(w, ruleset.IP4Dst, ruleset.IP6Dst) },
		"--src-type":  func(x *rule, w nft.Token) { x.addressType(w, ruleset.IP4Src, ruleset.IP6Src) },
		"--dst-range": func(x *rule, w nft.Token) { x.addressRange(ruleset.IP4Dst, ruleset.IP6Dst) },
		"-j":          to(ruleset.Jump), "--jump": to(ruleset.Jump), "-g": to(ruleset.Goto), "--goto": to(ruleset.Goto),
	}
}

func (x *rule) pick(f4, f6 ruleset.Field) ruleset.Field {
	if x.family == ruleset.FamilyIP6 {
		return f6
	}
	return f4
}

// one parses text, which stands at w, as one value.
func (x *rule) one(w nft.Token, d ruleset.Datatype, text string) ruleset.Span {
	return x.ValueOf(w.Pos, d, text)
}

func (x *rule) address(f4, f6 ruleset.Field) {
	w := x.word("an address")
	f := x.pick(f4, f6)
	text := w.Text
	if a, mask, ok := strings.Cut(text, "/"); ok && strings.Contains(mask, ".") {
		m, err := netip.ParseAddr(mask)
		n := -1
		if err == nil && m.Is4() {
			v := uint32(ruleset.AddrValue(m).Lo)
			for n = 0; n < 32 && v&(1<<(31-n)) != 0; n++ {
			}
			if v<<n != 0 {
				n = -1
			}
		}
		if n < 0 {
			x.Fail(w.Pos, "found the mask %q; expected a prefix length, or a mask of ones before zeros", mask)
		}
		text = a + "/" + strconv.Itoa(n)
	}
	x.plain(w.Pos, f, ruleset.Spans{x.one(w, ruleset.Fields[f].Kind, text)})
}

func (x *rule) addressRange(f4, f6 ruleset.Field) {
	w := x.word("a range of addresses")
	f := x.pick(f4, f6)
	x.plain(w.Pos, f, ruleset.Spans{x.one(w, ruleset.Fields[f].Kind, w.Text)})
}

// addressType reads the kinds of address that say something about a packet of a wire: no address is the host's own.
func (x *rule) addressType(w nft.Token, f4, f6 ruleset.Field) {
	v := x.word("a type of address")
	f := x.pick(f4, f6)
	var s ruleset.Spans
	switch {
	case v.Text == "LOCAL":
	case v.Text == "MULTICAST" && f == f4:
		s = ruleset.Spans{{Lo: ruleset.Num(0xe0000000), Hi: ruleset.Num(0xefffffff)}}
	case v.Text == "MULTICAST":
		s = ruleset.Spans{{Lo: ruleset.U128{Hi: 0xff << 56}, Hi: ruleset.Ones(128)}}
	default:
		x.Unsupported(v.Pos, "%s %s asks for the host's routes, which a wire has none of; expected LOCAL (never true here) or MULTICAST", w.Text, v.Text)
	}
	x.plain(v.Pos, f, s)
}

func (x *rule) protocol(nft.Token) {
	w := x.word("a protocol")
	if w.Text == "all" {
		return
	}
	v := x.one(w, ruleset.TypeProtocol, w.Text)
	not := x.not
	x.plain(w.Pos, ruleset.MetaL4Proto, ruleset.Spans{v})
	if !not {
		x.ctx.L4 = int(v.Lo.Lo)
	}
}

func (x *rule) in(nft.Token) { x.port(ruleset.InIface) }

func (x *rule) out(nft.Token) { x.port(ruleset.OutIface) }

func (x *rule) port(f ruleset.Field) {
	w := x.word("an interface")
	x.plain(w.Pos, f, ruleset.Spans{x.InterfacesNamed(w.Pos, w.Text, "+")})
}

// fragment: later fragments only.
func (x *rule) fragment(w nft.Token) {
	if x.family != ruleset.FamilyIP {
		x.Fail(w.Pos, "-f is of IPv4; expected no -f in ip6tables")
	}
	x.add(w.Pos, ruleset.IP4FragOff, ruleset.NoProto, ruleset.Num(0x1fff), ruleset.Spans{{Lo: ruleset.Num(1), Hi: ruleset.Num(0xffff)}})
}

var modules = strings.Fields("tcp udp sctp icmp icmp6 multiport state conntrack limit comment length ttl hl iprange dscp addrtype")

// unsupportedModules are those that iptables has beside them.
var unsupportedModules = strings.Fields(`
	ah bpf cgroup cluster connbytes connlabel connlimit connmark cpu dccp devgroup dst ecn esp eui64 frag hashlimit hbh helper ipcomp ipv6header
	ipvs mac mark mh nfacct osf owner physdev pkttype policy quota rateest realm recent rpfilter rt set socket srh statistic string tcpmss time tos u32`)

func (x *rule) module(nft.Token) {
	w := x.word("a module")
	if slices.Contains(unsupportedModules, w.Text) {
		x.Unsupported(w.Pos, "module %q is iptables, but not of the subset that runs here; expected %s; "+nft.Subset, w.Text, nft.OrList(modules))
	}
	if !slices.Contains(modules, w.Text) {
		x.Fail(w.Pos, "no module is named %q; expected %s", w.Text, nft.OrList(modules))
	}
}

// portList reads 80, 1000:2000, :1023 or a list of those.
func (x *rule) portList(w nft.Token, f ruleset.Field) {
	l4 := x.transport(w)
	v := x.word("a port")
	var s ruleset.Spans
	for _, text := range strings.Split(v.Text, ",") {
		lo, hi, isRange := strings.Cut(text, ":")
		if isRange && lo == "" {
			lo = "0"
		}
		if isRange && hi == "" {
			hi = "65535"
		}
		r := x.one(v, ruleset.TypeService, lo)
		if isRange {
			r.Hi = x.one(v, ruleset.TypeService, hi).Hi
		}
		if r.Hi.Cmp(r.Lo) < 0 {
			x.Fail(v.Pos, "found the range %q; expected its lower end first", text)
		}
		s = append(s, r)
	}
	if l4 >= ruleset.AnyTransport {
		l4 = ruleset.AnyTransport
	}
	x.add(v.Pos, f, l4, ruleset.Ones(16), s)
}

func (x *rule) flagList(w nft.Token) uint64 {
	switch w.Text {
	case "ALL":
		return 0x3f
	case "NONE":
		return 0
	}
	return x.one(w, ruleset.TypeTCPFlags, strings.ToLower(strings.ReplaceAll(w.Text, ",", "|"))).Lo.Lo
}

func (x *rule) flags(w nft.Token) {
	mask := x.flagList(x.word("the flags to look at"))
	set := x.flagList(x.word("the flags that must be set"))
	x.add(w.Pos, ruleset.TCPFlags, packet.ProtoTCP, ruleset.Num(mask), ruleset.Spans{{Lo: ruleset.Num(set), Hi: ruleset.Num(set)}})
}

func (x *rule) syn(w nft.Token) {
	x.add(w.Pos, ruleset.TCPFlags, packet.ProtoTCP, ruleset.Num(0x17), ruleset.Spans{{Lo: ruleset.Num(2), Hi: ruleset.Num(2)}})
}

// icmp reads a type and, behind a slash, a code.
func (x *rule) icmp() {
	w := x.word("an ICMP type")
	typ, code := x.pick(ruleset.ICMPType, ruleset.ICMP6Type), x.pick(ruleset.ICMPCode, ruleset.ICMP6Code)
	if w.Text == "any" || w.Text == "255" {
		x.Imply(x.rule, nil, x.ctx, nft.FieldRef{Field: typ, L4: ruleset.Fields[typ].L4, Pos: w.Pos})
		return
	}
	t, c, both := strings.Cut(w.Text, "/")
	if n, ok := ruleset.ICMPCodeNames[strings.Replace(w.Text, "protocol-", "prot-", 1)]; ok && x.family == ruleset.FamilyIP {
		t, c, both = "destination-unreachable", strconv.Itoa(int(n)), true
	}
	if both && x.not {
		x.Fail(w.Pos, `"!" before a type with a code; expected a type alone`)
	}
	x.plain(w.Pos, typ, ruleset.Spans{x.one(w, ruleset.Fields[typ].Kind, t)})
	if both {
		x.plain(w.Pos, code, ruleset.Spans{x.one(w, ruleset.Fields[code].Kind, c)})
	}
}

// states reads a list of states. SNAT and DNAT are among iptables' own: no connection is translated here, so no packet is in them.
func (x *rule) states() {
	w := x.word("states")
	var here []string
	for _, s := range strings.Split(w.Text, ",") {
		if s == "SNAT" || s == "DNAT" {
			x.Diagnose(ruleset.Diagnostic{Pos: w.Pos, Reached: ruleset.Warn, Message: "no connection is translated here: no packet is in state " + s})
			continue
		}
		here = append(here, s)
	}
	var v ruleset.U128
	if len(here) > 0 {
		v = x.one(w, ruleset.TypeCTState, strings.ToLower(strings.Join(here, "|"))).Lo
	}
	x.add(w.Pos, ruleset.CTState, ruleset.NoProto, v, ruleset.Spans{{Lo: ruleset.Num(1), Hi: ruleset.Ones(32)}})
}

func (x *rule) number(f4, f6 ruleset.Field, how string) {
	f := x.pick(f4, f6)
	w := x.word("a number")
	lo, hi, isRange := strings.Cut(w.Text, ":")
	top := ruleset.Ones(ruleset.Fields[f].Bits)
	if isRange && lo == "" {
		lo = "0"
	}
	s := x.one(w, ruleset.TypeInteger, lo)
	if s.Lo.Cmp(top) > 0 {
		x.Fail(w.Pos, "%s is out of range; expected at most %d", lo, top.Lo)
	}
	switch {
	case isRange && how != "range":
		x.Fail(w.Pos, "found a range; expected a number")
	case isRange && hi == "":
		s.Hi = top
	case isRange:
		s.Hi = x.one(w, ruleset.TypeInteger, hi).Lo
	case how == "<":
		if s.Lo == ruleset.Num(0) {
			x.Fail(w.Pos, "nothing is below 0; expected a higher number")
		}
		s = ruleset.Span{Lo: ruleset.U128{}, Hi: s.Lo.Prev()}
	case how == ">":
		if s.Lo == top {
			x.Fail(w.Pos, "nothing is above %s; expected a lower number", w.Text)
		}
		s = ruleset.Span{Lo: s.Lo.Next(), Hi: top}
	}
	x.plain(w.Pos, f, ruleset.Spans{s})
}

func (x *rule) dscpClass(nft.Token) {
	w := x.word("a class")
	x.plain(w.Pos, x.pick(ruleset.IP4DSCP, ruleset.IP6DSCP), ruleset.Spans{x.one(w, ruleset.TypeDSCP, strings.ToLower(w.Text))})
}

var units = map[string]uint64{"second": 1e9, "sec": 1e9, "s": 1e9, "minute": 60e9, "min": 60e9, "m": 60e9, "hour": 3600e9, "h": 3600e9, "day": 86400e9, "d": 86400e9}

func (x *rule) limit(nft.Token) {
	w := x.word("a rate")
	n, unit, ok := strings.Cut(w.Text, "/")
	rate, err := nft.ParseNumber(n)
	period, known := units[unit]
	if !ok || err != nil || rate == 0 || !known {
		x.Fail(w.Pos, "found the rate %q; expected a number, / and second, minute, hour or day", w.Text)
	}
	l := &ruleset.Limit{Rate: rate, Period: period, Burst: nft.BurstDefault}
	if len(x.words) > 1 && x.words[0].Text == "--limit-burst" {
		x.word("")
		b := x.word("a burst")
		if l.Burst, err = nft.ParseNumber(b.Text); err != nil || l.Burst == 0 || l.Burst > 10000 {
			x.Fail(b.Pos, "found the burst %q; expected a number from 1 to 10000", b.Text)
		}
	}
	x.rule.Ops = append(x.rule.Ops, ruleset.Op{Kind: ruleset.OpLimit, Pos: w.Pos, Limit: l})
}

func (x *rule) comment(nft.Token) { x.rule.Comment = x.word("a comment").Text }
