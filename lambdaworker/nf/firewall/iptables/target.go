package iptables

import (
	"slices"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// rejects are the words of --reject-with, and the codes they stand for in IPv4 and IPv6; -1 where there is none.
var rejects = map[string][2]int{
	"icmp-net-unreachable": {0, -1}, "icmp-host-unreachable": {1, -1}, "icmp-proto-unreachable": {2, -1}, "icmp-port-unreachable": {3, -1},
	"icmp-net-prohibited": {9, -1}, "icmp-host-prohibited": {10, -1}, "icmp-admin-prohibited": {13, -1},
	"icmp6-no-route": {-1, 0}, "no-route": {-1, 0}, "icmp6-adm-prohibited": {-1, 1}, "adm-prohibited": {-1, 1}, "icmp6-addr-unreachable": {-1, 3},
	"addr-unreach": {-1, 3}, "icmp6-port-unreachable": {-1, 4}, "port-unreach": {-1, 4},
}

// unsupportedTargets are those that iptables has beside the ones understood.
var unsupportedTargets = strings.Fields(`
	AUDIT CHECKSUM CLASSIFY CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL HMARK IDLETIMER LED MARK MASQUERADE NETMAP NFQUEUE NOTRACK RATEEST
	REDIRECT SECMARK SET SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG`)

// jump reads a target and its options.
func (x *rule) jump(kind ruleset.VerdictKind) {
	w := x.word("a target")
	o := ruleset.Op{Kind: ruleset.OpVerdict, Pos: w.Pos, Verdict: ruleset.Verdict{Pos: w.Pos}}
	switch w.Text {
	case "ACCEPT":
		o.Verdict.Kind = ruleset.Accept
	case "DROP":
		o.Verdict.Kind = ruleset.Drop
	case "RETURN":
		o.Verdict.Kind = ruleset.Return
	case "REJECT":
		o.Kind = ruleset.OpReject
		o.Reject = x.rejectWith()
	case "LOG", "NFLOG":
		o.Kind = ruleset.OpLog
		o.Log = x.logOptions(w.Text)
	default:
		if slices.Contains(unsupportedTargets, w.Text) {
			x.Unsupported(w.Pos, "target %s is iptables, but not of the subset that runs here; expected a chain of this file, or ACCEPT, DROP, RETURN, REJECT, LOG or NFLOG; "+nft.Subset, w.Text)
		}
		if x.Table.ByName[w.Text] == nil {
			x.Fail(w.Pos, "no chain is named %q; expected a chain of this file, or ACCEPT, DROP, RETURN, REJECT, LOG or NFLOG", w.Text)
		}
		o.Verdict.Kind, o.Verdict.Target = kind, w.Text
	}
	x.target = append(x.target, o)
}

func (x *rule) option(name string) bool {
	if len(x.words) > 0 && x.words[0].Text == name {
		x.word("")
		return true
	}
	return false
}

func (x *rule) rejectWith() ruleset.RejectWith {
	spec := ruleset.RejectWith{Code4: 3, Code6: 4}
	if !x.option("--reject-with") {
		return spec
	}
	w := x.word("what to reject with")
	if w.Text == "tcp-reset" {
		if x.ctx.L4 != 6 {
			x.Fail(w.Pos, "tcp-reset without -p tcp; expected -p tcp before it")
		}
		spec.TCPReset = true
		return spec
	}
	codes, ok := rejects[w.Text]
	i := 0
	if x.family == ruleset.FamilyIP6 {
		i = 1
	}
	if !ok || codes[i] < 0 {
		x.Fail(w.Pos, "found --reject-with %q; expected a type of the table's family, such as %s, or tcp-reset", w.Text,
			[]string{"icmp-port-unreachable", "icmp6-port-unreachable"}[i])
	}
	if i == 0 {
		spec.Code4 = uint8(codes[0])
	} else {
		spec.Code6 = uint8(codes[1])
	}
	return spec
}

// logOptions reads the options of LOG and NFLOG; what only the kernel's log shows is passed over.
func (x *rule) logOptions(target string) *ruleset.Log {
	l := &ruleset.Log{Level: "warn", Group: -1}
	if target == "NFLOG" {
		l.Group = 0
	}
	for len(x.words) > 0 {
		switch w := x.words[0]; w.Text {
		case "--log-prefix", "--nflog-prefix":
			x.word("")
			l.Prefix = x.word("a prefix").Text
		case "--log-level":
			x.word("")
			n := x.word("a level")
			known := false
			for i, name := range nft.LogLevels[:8] {
				if n.Text == name || n.Text == strconv.Itoa(i) || n.Text == "warning" && name == "warn" || n.Text == "error" && name == "err" {
					l.Level, known = name, true
				}
			}
			if !known {
				x.Fail(n.Pos, "found the level %q; expected 0 to 7 or %s", n.Text, nft.OrList(nft.LogLevels[:8]))
			}
		case "--nflog-group":
			x.word("")
			l.Group = int(x.one(x.word("a group"), ruleset.TypeService, x.last.Text).Lo.Lo)
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
