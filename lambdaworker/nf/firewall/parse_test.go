package firewall

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// inChain puts rules into the chain of a file; the first stands on line 4, in column 3.
func inChain(rules string) string {
	return "table inet filter {\n\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\t" + rules + "\n\t}\n}\n"
}

// Every mistake is refused where it stands, in the words of the table.
func TestInvalid(t *testing.T) {
	cases := []struct {
		name, text string
		at         string // line:column
		says       string
	}{
		{"unknown word", "tabel inet filter {\n}\n", "1:1", `found "tabel"; expected table`},
		{"unclosed table", "table inet filter {\n\tchain a {\n\t}\n", "4:1", `expected "}" at the end of table filter`},
		{"bridge alone", "table bridge filter {\n}\n", "1:1", "no chain sees forwarded packets"},
		{"netdev that drops", "table netdev f {\n\tchain c {\n\t\ttype filter hook ingress device eth0 priority 0; policy drop;\n\t}\n}\n" + inChain("accept"), "3:59", "decides on packets before they are forwarded"},
		{"no forward chain", "table inet filter {\n}\n", "1:1", "no chain sees forwarded packets"},
		{"nat chain", "table inet n {\n\tchain c {\n\t\ttype nat hook prerouting priority 0;\n\t}\n}\n", "3:8", "type nat"},
		{"dnat", inChain("tcp dport 1 dnat to 1.2.3.4"), "4:15", "changes destinations"},
		{"masquerade before the filter", inChain("masquerade"), "4:3", "put `nat` behind it"},
		{"prerouting", "table inet n {\n\tchain c {\n\t\ttype filter hook prerouting priority 0; policy drop;\n\t}\n}\n" + inChain("accept"), "3:20", "hooks prerouting and drops by policy"},
		{"prerouting drops", "table inet n {\n\tchain c {\n\t\ttype filter hook prerouting priority 0; policy accept;\n\t\ttcp dport 23 drop\n\t}\n}\n" + inChain("accept"), "4:16", "drops packets in a chain that hooks prerouting"},
		{"notrack", "table inet n {\n\tchain c {\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tudp dport 53 notrack\n\t}\n}\n" + inChain("accept"), "4:16", "\"notrack\" is nftables"},
		{"mark before the filter", "table inet n {\n\tchain c {\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tmeta mark set 1\n\t}\n}\n" + inChain("meta mark 1 drop"), "4:3", "sets a mark in a chain that hooks prerouting"},
		{"policy without hook", "table inet n {\n\tchain c {\n\t\tpolicy drop;\n\t}\n}\n", "3:3", "has a policy but no hook"},
		{"bad policy", "table inet n {\n\tchain c {\n\t\ttype filter hook forward priority 0; policy reject;\n\t}\n}\n", "3:47", `found the policy "reject"`},
		{"unknown match", inChain("ipp saddr 1.2.3.4 drop"), "4:3", `found "ipp"; expected a match`},
		{"unknown field", inChain("ip sadr 1.2.3.4 drop"), "4:6", `found "sadr" behind ip`},
		{"not in the subset", inChain("numgen random mod 2 0 drop"), "4:3", "nftables, but not of the subset"},
		{"short address", inChain("ip saddr 10.1 drop"), "4:12", "expected an IPv4 address of four numbers"},
		{"host name", inChain("ip saddr example.com drop"), "4:12", "names of hosts are not looked up"},
		{"wrong family of address", inChain("ip saddr 2001:db8::1 drop"), "4:12", "expected an IPv4 address"},
		{"prefix too long", inChain("ip saddr 10.0.0.0/33 drop"), "4:21", "prefix length 33; expected at most 32"},
		{"port out of range", inChain("tcp dport 70000 drop"), "4:13", "70000 is out of range; expected at most 65535"},
		{"range upside down", inChain("tcp dport 100-1 drop"), "4:13", "no or negative size"},
		{"range of one", inChain("tcp dport 7-7 drop"), "4:13", "no or negative size"},
		{"empty set", inChain("tcp dport { } drop"), "4:15", `found "}"; expected an element`},
		{"no comma", inChain("tcp dport { 1 2 } drop"), "4:17", `expected "," or "}"`},
		{"unknown set", inChain("ip saddr @nope drop"), "4:13", `no set of table filter is named "nope"`},
		{"unknown chain", inChain("jump nope"), "4:8", `no chain of table filter is named "nope"`},
		{"two network protocols", inChain("ip saddr 1.2.3.4 ip6 daddr ::1 drop"), "4:20", "conflicting protocols: ip6 behind a match on ip"},
		{"two transports", inChain("tcp dport 1 udp dport 1 drop"), "4:15", "conflicting protocols: udp behind a match on tcp"},
		{"protocol contradicts", inChain("ip protocol tcp udp dport 1 drop"), "4:19", "conflicting protocols: udp behind a match on tcp"},
		{"icmp and icmpv6", inChain("icmp type echo-request icmpv6 type echo-request drop"), "4:26", "conflicting protocols"},
		{"behind a verdict", inChain("accept counter"), "4:10", "behind a verdict, where it has no effect"},
		{"comment first", inChain(`comment "b" accept`), "4:15", "expected the end of the line"},
		{"flag name", inChain("tcp flags sin drop"), "4:13", "expected TCP flags"},
		{"mask without comparison", inChain("tcp flags & rst drop"), "4:19", "expected a comparison"},
		{"state name", inChain("ct state establishd accept"), "4:12", "expected a ct state"},
		{"icmp id of another type", inChain("icmp type { echo-reply, redirect } icmp id 5 drop"), "4:38", "icmp id behind a match on types without it"},
		{"icmp type name", inChain("icmp type echo accept"), "4:13", "expected an ICMP type"},
		{"limit without unit", inChain("limit rate 10 accept"), "4:17", `expected "/" and a unit of time`},
		{"limit unit", inChain("limit rate 10/fortnight accept"), "4:17", `found "fortnight"; expected second`},
		{"zero limit", inChain("limit rate 0/second accept"), "4:14", "a rate of 0"},
		{"named counter", inChain("counter name x accept"), "4:16", `no counter of table filter is named "x"`},
		{"log level", inChain("log level loud"), "4:13", `found the level "loud"`},
		{"reject type", inChain("reject with icmp teapot"), "4:20", "expected an ICMP code"},
		{"reject reset of udp", inChain("udp dport 1 reject with tcp reset"), "4:27", "conflicting protocols: tcp behind a match on udp"},
		{"string not closed", inChain(`log prefix "abc`), "4:14", "does not end on its line"},
		{"odd character", inChain("ip saddr ö drop"), "4:12", "expected an IPv4 address"},
		{"vmap overlap", inChain("tcp dport vmap { 1-10 : accept, 5 : drop }"), "4:35", "overlaps the one at 4:20"},
		{"vmap without verdict", inChain("tcp dport vmap { 1 }"), "4:22", `expected ":"`},
		{"interface name", inChain(`iifname "eth7" drop`), "4:11", "expected inside, outside or a name that the option interfaces"},
		{"nothing below 0", inChain("ip ttl < 0 drop"), "4:12", "nothing is below 0"},
		{"overlap in a set", "table inet f {\n\tset a { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 10.0.0.1 } }\n}\n", "2:67", "overlaps the one at 2:55"},
		{"prefix without interval", "table inet f {\n\tset a { type ipv4_addr; elements = { 10.0.0.0/8 } }\n}\n", "2:39", "no `flags interval`"},
		{"set of another type", "table inet f {\n\tset a { type ipv4_addr; }\n\tchain c { tcp dport @a accept; }\n}\n", "3:23", "holds elements of another type (ipv4_addr)"},
		{"unknown type", "table inet f {\n\tset a { type ether_adr; }\n}\n", "2:15", `sets of type "ether_adr" are not supported`},
		{"type not in the subset", "table inet f {\n\tset a { type uid; elements = { 0 } }\n\tchain c { type filter hook forward priority 0; ip saddr @a drop; }\n}\n", "2:15", `sets of type "uid" are nftables`},
		{"index", "add table inet f\nadd chain inet f c { type filter hook forward priority 0; }\ninsert rule inet f c index 1 accept\n", "3:28", "has 0 rules"},
		{"handle", "add table inet f\nadd chain inet f c { type filter hook forward priority 0; }\nadd rule inet f c handle 7 accept\n", "3:19", "a file can't know"},
		{"delete what is not there", "add table inet f\nadd set inet f s { type inet_service; elements = { 1 } }\ndelete element inet f s { 2 }\n", "3:27", "has no such element"},
		{"option of TCP", inChain("tcp option 253 exists drop"), "4:14", "expected a TCP option"},
		{"setting an address", inChain("ip saddr set 1.2.3.4"), "4:12", "can be compared, not set"},
		{"set without type", "table inet f {\n\tset a { flags interval; }\n}\n", "2:6", "has no type"},
		{"limit not declared", inChain("limit name x accept"), "4:14", `no limit of table filter is named "x"`},
		{"counter twice", "table inet f {\n\tcounter a { }\n\tcounter a { }\n}\n", "3:10", "declared already"},
		{"limit without rate", "table inet f {\n\tlimit a { }\n}\n", "2:8", "has no rate"},
		{"quota", inChain("quota name a drop"), "4:3", `"quota" is nftables`},
		{"flag of a set", "table inet f {\n\tset a { type ipv4_addr; flags dinamic; }\n}\n", "2:32", `no flag of sets is named "dinamic"`},
		{"element that expires", "table inet f {\n\tset a { type ipv4_addr; flags timeout; elements = { 1.2.3.4 timeout 30m expires 5m } }\n\tchain c { type filter hook forward priority 0; ip saddr @a drop; }\n}\n", "2:62", "would expire"},
		{"elements that expire", "table inet f {\n\tset a { type ipv4_addr; flags timeout; timeout 1h30m; elements = { 1.2.3.4 } }\n\tchain c { type filter hook forward priority 0; ip saddr @a drop; }\n}\n", "2:41", "would expire"},
		{"update of a set", inChain("add @s { ip saddr }"), "4:3", `"add" is nftables, but not of the subset`},
		{"word of a header", inChain("ct zone 1 accept"), "4:6", "\"ct zone\" is nftables, but not of the subset that runs here; expected direction, mark, state"},
		{"raw payload", inChain("@th,16,16 53 accept"), "4:3", "raw payload"},
		{"log flags", inChain("log flags some"), "4:13", "expected all, skuid"},
		{"time", "table inet f {\n\tset a { type ipv4_addr; timeout 5x; }\n}\n", "2:34", "expected a time"},
		{"set twice", "table inet f {\n\tset a { type ipv4_addr; }\n\tset a { type ipv4_addr; }\n}\n", "3:6", "declared already"},
		{"variable", inChain("ip saddr $lan drop"), "4:13", `no variable is named "lan"`},
		{"missing include", "include \"x.nft\"\n", "1:9", `include of "x.nft"`},
		{"include of itself", "include \"rules.nft\"\n", "1:9", "no file to include itself"},
		{"include of a pattern", "include \"*.nft\"\n", "1:9", "one include for each file"},
		{"loop", "table inet f {\n\tchain b { jump c; }\n\tchain c { jump b; }\n}\n", "3:17", "comes back to where it started"},
		{"jump to a base chain", inChain("jump forward"), "4:8", `chain "forward" has a hook`},
		{"number in a name's place", "table 7 {\n}\n", "1:7", "expected a table's name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := tryBuild("{rules: rules.nft}", map[string]string{"rules.nft": c.text})
			expectProblem(t, err, "rules.nft:"+c.at, c.says)
		})
	}
}

func expectProblem(t *testing.T, err error, at, says string) {
	t.Helper()
	var ps nf.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("%v; expected problems", err)
	}
	p := ps[0]
	if got := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column); got != at || !strings.Contains(p.Message, says) {
		t.Errorf("%v\nexpected %s: ...%s", err, at, says)
	}
}

// One run names all mistakes.
func TestAllProblems(t *testing.T) {
	_, err := tryBuild("{rules: r}", map[string]string{"r": inChain("ip saddr 10.1 drop\n\t\ttcp dport 99999 accept\n\t\taccept\n\t\tjump nope")})
	var ps nf.Problems
	if !errors.As(err, &ps) || len(ps) != 2 || ps[0].Line != 4 || ps[1].Line != 5 {
		t.Fatalf("%v; expected problems on lines 4 and 5 (jumps are followed when the rest is right)", err)
	}
}

func TestTooDeep(t *testing.T) {
	deep := func(n int) string {
		var b strings.Builder
		b.WriteString("table inet f {\n")
		for i := range n {
			fmt.Fprintf(&b, "\tchain c%d { counter; }\n", i)
		}
		b.WriteString("\tchain forward { type filter hook forward priority 0; jump c0; }\n")
		for i := range n - 1 {
			fmt.Fprintf(&b, "\tchain c%d { jump c%d; }\n", i, i+1)
		}
		return b.String() + "}\n"
	}
	build(t, "{rules: r}", map[string]string{"r": deep(15)})
	_, err := tryBuild("{rules: r}", map[string]string{"r": deep(16)})
	expectProblem(t, err, "r:18:8", "17 chains deep; expected at most 16")
}

// Spellings that nft takes too; what they mean is TestModel's and TestKernel's business.
func TestValid(t *testing.T) {
	for _, text := range []string{
		inChain("ip saddr 10.0.0.1/8 accept"),
		inChain("ip saddr { 10.0.0.0/8, 10.0.0.1 } drop; tcp dport {22,80}accept"),
		inChain("tcp dport { 22,\n 80, # web\n 443,\n } accept"),
		inChain("tcp dport ssh accept\n\t\ttcp dport { http, https } accept"),
		inChain("tcp flags == syn,ack counter packets 5 bytes 7 accept"),
		inChain("iifname \"inside\" oifname outside ct state new log prefix \"new: \" level info group 3 continue"),
		inChain("ip frag-off & 0x1fff != 0 drop\n\t\texthdr frag exists drop\n\t\tip6 nexthdr { tcp, udp } accept"),
		inChain("meta l4proto { tcp, udp } th dport 53 accept"),
		inChain("l4proto tcp accept \\\n comment \"continued\""),
		"#!/usr/sbin/nft -f\nflush ruleset\ntable inet f\ndelete table inet f\n" + inChain("accept"),
		"table ip f { chain c { type filter hook forward priority filter + 5; policy drop; icmp type echo-request accept; }; }",
		"table inet f { set s { typeof ip saddr . tcp dport; elements = { 10.0.0.1 . 80 } }; chain c { type filter hook forward priority -1; ip saddr . tcp dport @s accept; } }",
		"add table inet f\nadd chain inet f c { type filter hook forward priority 0; }\nadd rule inet f c ip saddr 10.0.0.1 drop\n",
		"table inet f { chain in { type filter hook input priority 0; accept; }; chain c { type filter hook forward priority 0; } }",
	} {
		if _, err := tryBuild("{rules: r}", map[string]string{"r": text}); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func TestIncludeAndDefine(t *testing.T) {
	b := build(t, "{rules: etc/main.nft}", map[string]string{
		"etc/main.nft":      "include \"lib/vars.nft\"\ntable inet f {\n\tchain c {\n\t\ttype filter hook forward priority 0;\n\t\tinclude \"./lib/rules.nft\"\n\t\tcounter\n\t}\n}\n",
		"etc/lib/vars.nft":  "define a = 10.0.0.1\ndefine b = { $a, 10.0.0.2 }\n",
		"etc/lib/rules.nft": "ip saddr $b counter drop\n",
	})
	var r nf.Report
	b.fw.Report(&r)
	if len(r.Rules) != 2 || r.Rules[0].File != "etc/lib/rules.nft" || r.Rules[0].Line != 1 || r.Rules[1].File != "etc/main.nft" || r.Rules[1].Line != 6 {
		t.Errorf("%+v", r.Rules)
	}
	_, err := tryBuild("{rules: etc/main.nft}", map[string]string{"etc/main.nft": "include \"x.nft\"\n" + inChain("accept"), "etc/x.nft": "\ntable x y z\n"})
	expectProblem(t, err, "etc/x.nft:2:9", "after the table's name")
}

// Whatever the text, the parser ends, each problem has a place within the file, and what is taken is judged as the model judges it.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add(mixedRules(20, true))
	for seed := range 5 {
		f.Add(newGenerator(uint64(seed)).rules(8))
	}
	f.Add(openWrt)
	f.Add(archHost)
	f.Add(debianHost)
	f.Add("table inet f {\n\tcounter c { packets 1 bytes 2; comment \"x\"; }\n\tlimit l { rate 1/second; }\n\tset s { type ipv4_addr; flags timeout; timeout 1h; counter; elements = { 1.2.3.4 timeout 1h30m expires 5m counter packets 0 bytes 0, * } }\n" +
		"\tchain c { type filter hook forward priority 0; iifname { \"in*\", eth* } counter name \"c\" limit name l log flags tcp sequence,options ip saddr vmap { 10/8 : accept, * : drop } counter; }\n}\n")
	f.Add("define a = { $a }\ntable inet f { chain c { ip saddr $a\n")
	ps := newGenerator(3).packets(60)
	f.Fuzz(func(t *testing.T, text string) {
		open := func(name string) ([]byte, error) {
			if name == "r" {
				return []byte(text), nil
			}
			return nil, errors.New("no such file")
		}
		checkParsed(t, "{rules: r}", text, nft.Parse("r", nft.Source{Open: open}, ruleset.IfaceNames), ps)
	})
}

// One cause makes one message.
func TestOneMessage(t *testing.T) {
	for _, text := range []string{
		"table inet f {\n\tset a { type ipv4_addr; flags interval, timeout; timeout 1h; gc-interval 1m; elements = { 1.2.3.0/24 timeout 30m, 5.6.7.8 timeout 10s } }\n\tchain c { type filter hook forward priority 0; ip saddr @a drop; }\n}\n",
		"table inet n {\n\tchain c {\n\t\ttype nat hook prerouting priority 0; policy accept;\n\t}\n}\n",
		"table inet n {\n\tchain c {\n\t\ttype nat hook forward priority 0; policy accept;\n\t}\n}\n",
		"table inet n {\n\tchain c {\n\t\ttype filter hook ingress device eth0 priority 0; policy drop;\n\t}\n}\n",
		inChain("tcp dport 22 meter m { ip saddr limit rate 3/minute } accept"),
	} {
		_, err := tryBuild("{rules: r}", map[string]string{"r": text})
		var ps nf.Problems
		if !errors.As(err, &ps) || len(ps) != 1 {
			t.Errorf("%v; expected one problem of\n%s", err, text)
		}
	}
}

// What loads and is not done as written, or is odd, is warned about.
func TestWarnings(t *testing.T) {
	const set = "\tset s { type ipv4_addr; %s }\n"
	for _, c := range []struct{ text, warned string }{
		{inChain(`log flags all drop`), "4:7: flags of log mean nothing here"},
		{inChain(`log prefix "x" flags tcp sequence,options flags ip options`), "4:18: flags of log"},
		{inChain(`ip saddr 10/8 drop`), "4:12: nft reads 10 as the address 0.0.0.10"},
		{inChain(`tcp dport vmap { 22 : continue } counter`), "4:36: what stands behind vmap"},
		{inChain(`iif "lo" accept`), `4:7: the interface "lo" is no port`},
		{"table inet f {\n" + fmt.Sprintf(set, "counter; elements = { 1.2.3.4 counter packets 1 bytes 2 }") + "}\n" + inChain("accept"), "2:26: elements of set s are not counted"},
		{"table inet f {\n" + fmt.Sprintf(set, "flags dynamic,timeout; timeout 1h") + "}\n" + inChain("accept"), "is empty and stays so"},
		{inChain(`tcp dport vmap { 22 : accept, * : drop } comment "x"`), ""},
		{inChain(`iifname "in*" oifname out* accept`), ""},
		{"table inet f {\n" + fmt.Sprintf(set, "flags timeout; elements = { 1.2.3.4 }") + "}\n" + inChain("accept"), ""},
	} {
		got := loads(t, "{rules: r}", c.text)
		if c.warned == "" {
			expectWarnings(t, got)
		} else {
			expectWarnings(t, got, c.warned)
		}
	}
}
