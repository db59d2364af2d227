package firewall

import (
	"errors"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// stateRules tell each state by a verdict of its own.
const stateRules = `
table inet f {
	chain c {
		type filter hook forward priority 0; policy accept;
		tcp dport 666 drop
		ct state new accept
		ct state established reject with icmpx admin-prohibited
		ct state related drop
		ct state invalid drop
	}
}
`

// states are the verdicts of stateRules.
var states = map[string]string{"new": "pass", "established": "firewall_reject", "related": "firewall_rule", "invalid": "firewall_invalid", "untracked": "pass", "dropped": "firewall_rule"}

func TestStates(t *testing.T) {
	const a, b = "10.0.0.1:1000", "192.0.2.1:80"
	syn := nftest.TCP(a, b, "S", "").Numbers(100, 0)
	synack := nftest.TCP(b, a, "SA", "").Numbers(500, 101).Outside()
	ack := nftest.TCP(a, b, "A", "").Numbers(101, 501)
	query, answer := nftest.UDP(a, b, "q"), nftest.UDP(b, a, "a").Outside()
	type step struct {
		p     nftest.P
		state string
	}
	for name, steps := range map[string][]step{
		"handshake":                        {{syn, "new"}, {syn, "new"}, {synack, "established"}, {ack, "established"}},
		"answer to nothing":                {{synack, "invalid"}},
		"picked up":                        {{ack, "new"}, {nftest.TCP(b, a, "A", "").Numbers(501, 101).Outside(), "established"}},
		"FIN to nothing":                   {{nftest.TCP(a, b, "FA", ""), "invalid"}},
		"RST to nothing":                   {{nftest.TCP(a, b, "R", ""), "invalid"}},
		"flags nobody sends":               {{nftest.TCP(a, b, "SF", ""), "invalid"}, {nftest.TCP(a, b, "", ""), "invalid"}, {nftest.TCP(a, b, "FPU", ""), "invalid"}},
		"out of the window":                {{syn, "new"}, {synack, "established"}, {ack, "established"}, {nftest.TCP(b, a, "A", "x").Numbers(500+1<<30, 101).Outside(), "invalid"}},
		"RST that is not in order":         {{syn, "new"}, {synack, "established"}, {ack, "established"}, {nftest.TCP(b, a, "R", "").Numbers(3, 0).Outside(), "invalid"}},
		"refused, then open":               {{syn, "new"}, {nftest.TCP(b, a, "RA", "").Numbers(0, 101).Outside(), "established"}, {synack, "invalid"}, {syn, "new"}},
		"SYN timed out":                    {{syn, "new"}, {synack.At(121 * time.Second), "invalid"}},
		"a dropped packet leaves no state": {{nftest.TCP(a, "192.0.2.1:666", "S", ""), "dropped"}, {nftest.TCP("192.0.2.1:666", a, "SA", "").Outside(), "invalid"}},
		"udp":                              {{query, "new"}, {query, "new"}, {answer, "established"}, {query, "established"}},
		"udp timed out":                    {{query, "new"}, {answer.At(31 * time.Second), "new"}},
		"udp stream": {{query, "new"}, {answer.At(time.Second), "established"}, {query.At(4 * time.Second), "established"}, {answer.At(120 * time.Second), "established"},
			{query.At(245 * time.Second), "new"}},
		"ping": {{nftest.Echo("10.0.0.1", "192.0.2.1", 7, 1), "new"}, {nftest.EchoReply("192.0.2.1", "10.0.0.1", 7, 1).Outside(), "established"},
			{nftest.EchoReply("192.0.2.1", "10.0.0.1", 8, 1).Outside(), "invalid"}, {nftest.Echo("192.0.2.1", "10.0.0.1", 7, 1).Outside(), "new"}},
		"ping6":                   {{nftest.Echo("2001:db8::1", "2001:db8::2", 7, 1), "new"}, {nftest.EchoReply("2001:db8::2", "2001:db8::1", 7, 1).Outside(), "established"}},
		"error about a flow":      {{query, "new"}, {nftest.Unreachable("172.16.0.1", "10.0.0.1", query.Frame()).Outside(), "related"}},
		"error about nothing":     {{nftest.Unreachable("172.16.0.1", "10.0.0.1", query.Frame()).Outside(), "invalid"}},
		"error to somebody else":  {{query, "new"}, {nftest.Unreachable("172.16.0.1", "10.0.0.2", query.Frame()).Outside(), "invalid"}},
		"error about an echo":     {{nftest.Echo("10.0.0.1", "192.0.2.1", 7, 1), "new"}, {nftest.Unreachable("172.16.0.1", "10.0.0.1", nftest.Echo("10.0.0.1", "192.0.2.1", 7, 1).Frame()).Outside(), "related"}},
		"neighbour discovery":     {{nftest.P{Src: "2001:db8::1", Dst: "2001:db8::2", Proto: 58, Type: 135}, "untracked"}},
		"another protocol":        {{nftest.IP("10.0.0.1", "192.0.2.1", 50, "espespes"), "new"}, {nftest.IP("192.0.2.1", "10.0.0.1", 50, "espespes").Outside(), "established"}},
		"fragments are their own": {{query, "new"}, {answer, "established"}, {query.Fragment(0, true), "new"}},
		"a port used again":       {{syn, "new"}, {synack, "established"}, {ack, "established"}, {nftest.TCP(a, b, "FA", "").Numbers(101, 501), "established"}, {nftest.TCP(b, a, "FA", "").Numbers(501, 102).Outside(), "established"}, {nftest.TCP(a, b, "A", "").Numbers(102, 502), "established"}, {syn, "new"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := build(t, "{rules: r}", map[string]string{"r": stateRules})
			var ps []nftest.P
			for _, s := range steps {
				ps = append(ps, s.p)
			}
			r := nftest.Run(p.Pipeline, nftest.Packets(ps...), 1)
			for i, s := range steps {
				if got := r.Packets[i].Verdict.String(); got != states[s.state] {
					t.Errorf("packet %d: %s; expected %s (%s)", i+1, got, states[s.state], s.state)
				}
			}
		})
	}
}

func TestTrackOptions(t *testing.T) {
	ack := nftest.TCP("10.0.0.1:1", "192.0.2.1:2", "A", "")
	p := build(t, "{rules: r, tcp_strict: true}", map[string]string{"r": stateRules})
	r := nftest.Run(p.Pipeline, nftest.Packets(ack), 1)
	if got := r.Verdicts(); got != states["invalid"] {
		t.Errorf("tcp_strict: %s", got)
	}
	p = build(t, "{rules: r, timeouts: {udp: 5s}}", map[string]string{"r": stateRules})
	q, a := nftest.UDP("10.0.0.1:1", "192.0.2.1:2", ""), nftest.UDP("192.0.2.1:2", "10.0.0.1:1", "").Outside().At(6*time.Second)
	r = nftest.Run(p.Pipeline, nftest.Packets(q, a), 1)
	if got := r.Verdicts(); got != "pass pass" {
		t.Errorf("an answer after the timeout: %s", got)
	}
}

// A reload keeps connections, and verdicts are those of the new rules.
func TestReload(t *testing.T) {
	syn := nftest.TCP("10.0.0.1:1", "192.0.2.1:80", "S", "").Numbers(1, 0)
	old := build(t, "{rules: r}", map[string]string{"r": inChain("ct state new counter accept")})
	_, state := nftest.Replicate(t, old.Pipeline, nftest.Packets(syn), 1)
	f := build(t, "{rules: r}", map[string]string{"r": inChain("ct state established drop\n\t\tct state new accept")})
	if err := f.ApplyDelta(state); !errors.Is(err, errSharedRules) {
		t.Fatalf("%v; want the counters of other rules refused, and the connection taken", err)
	}
	r := nftest.Run(f.Pipeline, nftest.Packets(nftest.TCP("192.0.2.1:80", "10.0.0.1:1", "SA", "").Numbers(7, 2).Outside()), 1)
	if got := r.Verdicts(); got != "firewall_rule" {
		t.Errorf("the SYN-ACK of a connection from before the reload: %s", got)
	}
	if len(f.fw.machine.Counts) > 0 {
		t.Errorf("counters were taken over: %v", f.fw.machine.Counts)
	}
}

// State from elsewhere is not believed.
func TestDamagedState(t *testing.T) {
	b := build(t, "{rules: edge.nft}", map[string]string{"edge.nft": everything})
	nftest.Run(b.Pipeline, everyKind(), 64)
	shared := b.fw.AppendShared(nil)
	other := build(t, "{rules: edge.nft}", map[string]string{"edge.nft": everything})
	for n := range shared {
		if err := other.fw.ApplyShared(shared[:n]); err == nil {
			t.Fatalf("a delta cut to %d of %d bytes is taken", n, len(shared))
		}
	}
	if other.fw.stats != ([numStats]uint64{}) {
		t.Error("a damaged delta left something")
	}
	if err := build(t, "{rules: r}", map[string]string{"r": inChain("accept")}).fw.ApplyShared(shared); err == nil {
		t.Error("counters of other rules are taken")
	}
	record := b.fw.AppendFlow(nil, 0)
	if len(record) == 0 {
		t.Fatal("no record of the first flow")
	}
	for i := range record {
		broken := append([]byte(nil), record...)
		broken[i] = 0xff
		if other.fw.ApplyFlow(3, broken) != nil && len(other.fw.AppendFlow(nil, 3)) > 0 {
			t.Fatalf("byte %d: refused and kept", i)
		}
	}
	if err := other.fw.ApplyFlow(3, record[1:]); err == nil {
		t.Error("a short record is taken")
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct{ options, says string }{
		{"{}", "no rules"},
		{"{rules: r, format: pf}", `found format "pf"`},
		{"{rules: r, policy: drop}", "policy beside format nft"},
		{"{rules: r, format: aws-stateless}", "without policy"},
		{"{rules: r, malformed: maybe}", `found malformed "maybe"`},
		{"{rules: r, interfaces: {eth1: left}}", `on side "left"`},
		{"{rules: r, log_rate: -1}", "found log_rate -1"},
	} {
		_, err := tryBuild(c.options, map[string]string{"r": inChain("accept")})
		expectProblem(t, err, "granule.yaml:1:1", c.says)
	}
	if _, err := tryBuild("{rules: r, timeouts: {udp: soon}}", map[string]string{"r": inChain("accept")}); err == nil {
		t.Error("a timeout of \"soon\" is taken")
	}
}

// Options through the pipeline's own decoder: durations, maps, and the place of a mistake.
func TestOptionsInPlace(t *testing.T) {
	s := nftest.Stage{Files: map[string]string{"r": inChain(`iifname "eth1" accept`)}}
	s.NFs = []string{"firewall: {rules: r, interfaces: {eth1: inside}, timeouts: {udp: 20s, tcp_established: 2h, icmp: 7}, tcp_be_liberal: true}"}
	s.Build(t)
	s.NFs = []string{"firewall: {rules: r, interfaces: {eth1: inside}, malformed: keep}"}
	_, err := s.TryBuild()
	expectProblem(t, err, "granule.yaml:1:61", `found malformed "keep"`)
	s.NFs = []string{"firewall: {rules: r, timeouts: {udp: soon}}"}
	if _, err = s.TryBuild(); err == nil {
		t.Error("a timeout of \"soon\" is taken")
	}
	s.NFs = []string{"firewall: {rules: r, rule: r}"}
	if _, err = s.TryBuild(); err == nil {
		t.Error("an unknown key is taken")
	}
}

// An error that quotes the first fragment of a datagram is about the connection of the whole datagram.
func TestQuotationOfAFirstFragment(t *testing.T) {
	b := build(t, "{rules: r}", map[string]string{"r": inChain("ct state related counter accept\n\t\tct state new accept\n\t\tct state invalid counter drop")})
	q := nftest.UDP("10.0.0.1:5000", "192.0.2.1:53", "a question of some length")
	first := q.Fragment(0, true)
	other := nftest.UDP("10.0.0.1:5001", "192.0.2.1:53", "a question of some length").Fragment(0, true)
	r := nftest.Run(b.Pipeline, nftest.Packets(q, nftest.Unreachable("192.0.2.77", "10.0.0.1", first.Frame()).Outside(), nftest.Unreachable("192.0.2.77", "10.0.0.1", other.Frame()).Outside()), 1)
	if got := r.Verdicts(); got != "pass pass firewall_invalid" {
		t.Error(got)
	}
	if b.fw.machine.Counts[0].Packets != 1 {
		t.Errorf("%d related packets, expected 1", b.fw.machine.Counts[0].Packets)
	}
}
