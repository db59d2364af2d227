package firewall

import (
	"slices"
	"strings"
)

// tablesRejects are the words of --reject-with, and the codes they stand for in IPv4 and IPv6; -1 where there is none.
var tablesRejects = map[string][2]int{
	"icmp-net-unreachable": {0, -1}, "icmp-host-unreachable": {1, -1}, "icmp-proto-unreachable": {2, -1}, "icmp-port-unreachable": {3, -1},
	"icmp-net-prohibited": {9, -1}, "icmp-host-prohibited": {10, -1}, "icmp-admin-prohibited": {13, -1},
	"icmp6-no-route": {-1, 0}, "no-route": {-1, 0}, "icmp6-adm-prohibited": {-1, 1}, "adm-prohibited": {-1, 1}, "icmp6-addr-unreachable": {-1, 3},
	"addr-unreach": {-1, 3}, "icmp6-port-unreachable": {-1, 4}, "port-unreach": {-1, 4},
}

// beyondTargets are those that iptables has beside the ones understood.
var beyondTargets = strings.Fields(`
	AUDIT CHECKSUM CLASSIFY CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL HMARK IDLETIMER LED MARK MASQUERADE NETMAP NFQUEUE NOTRACK RATEEST
	REDIRECT SECMARK SET SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG`)

// jump reads a target and its options.
func (x *tablesRule) jump(kind verdictKind) {
	w := x.word("a target")
	o := op{kind: opVerdict, pos: w.pos, verdict: verdict{pos: w.pos}}
	switch w.text {
	case "ACCEPT":
		o.verdict.kind = accept
	case "DROP":
		o.verdict.kind = drop
	case "RETURN":
		o.verdict.kind = returnFrom
	case "REJECT":
		o.kind = opReject
		o.reject = x.rejectWith()
	case "LOG", "NFLOG":
		o.kind = opLog
		o.log = x.logOptions(w.text)
	default:
		if slices.Contains(beyondTargets, w.text) {
			x.beyond(w.pos, "target %s is iptables, but not of the subset that runs here; expected a chain of this file, or ACCEPT, DROP, RETURN, REJECT, LOG or NFLOG; "+subset, w.text)
		}
		if x.table.byName[w.text] == nil {
			x.fail(w.pos, "no chain is named %q; expected a chain of this file, or ACCEPT, DROP, RETURN, REJECT, LOG or NFLOG", w.text)
		}
		o.verdict.kind, o.verdict.target = kind, w.text
	}
	x.target = append(x.target, o)
}

func (x *tablesRule) option(name string) bool {
	if len(x.words) > 0 && x.words[0].text == name {
		x.word("")
		return true
	}
	return false
}

func (x *tablesRule) rejectWith() rejectSpec {
	spec := rejectSpec{code4: 3, code6: 4}
	if !x.option("--reject-with") {
		return spec
	}
	w := x.word("what to reject with")
	if w.text == "tcp-reset" {
		if x.ctx.l4 != 6 {
			x.fail(w.pos, "tcp-reset without -p tcp; expected -p tcp before it")
		}
		spec.reset = true
		return spec
	}
	codes, ok := tablesRejects[w.text]
	i := 0
	if x.family == familyIP6 {
		i = 1
	}
	if !ok || codes[i] < 0 {
		x.fail(w.pos, "found --reject-with %q; expected a type of the table's family, such as %s, or tcp-reset", w.text,
			[]string{"icmp-port-unreachable", "icmp6-port-unreachable"}[i])
	}
	if i == 0 {
		spec.code4 = uint8(codes[0])
	} else {
		spec.code6 = uint8(codes[1])
	}
	return spec
}

// logOptions reads the options of LOG and NFLOG; what only the kernel's log shows is passed over.
func (x *tablesRule) logOptions(target string) *logSpec {
	l := &logSpec{level: "warn", group: -1}
	if target == "NFLOG" {
		l.group = 0
	}
	for len(x.words) > 0 {
		switch w := x.words[0]; w.text {
		case "--log-prefix", "--nflog-prefix":
			x.word("")
			l.prefix = x.word("a prefix").text
		case "--log-level":
			x.word("")
			n := x.word("a level")
			known := false
			for i, name := range logLevels[:8] {
				if n.text == name || n.text == string(appendInt(nil, i)) || n.text == "warning" && name == "warn" || n.text == "error" && name == "err" {
					l.level, known = name, true
				}
			}
			if !known {
				x.fail(n.pos, "found the level %q; expected 0 to 7 or %s", n.text, orList(logLevels[:8]))
			}
		case "--nflog-group":
			x.word("")
			l.group = int(x.one(x.word("a group"), service, x.last.text).lo.lo)
		case "--log-tcp-sequence", "--log-tcp-options", "--log-ip-options", "--log-uid", "--log-macdecode":
			x.word("")
		case "--nflog-size", "--nflog-threshold", "--nflog-range":
			x.word("")
			x.word("a number")
		default:
			return l
		}
	}
	return l
}
