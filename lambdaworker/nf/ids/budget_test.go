package ids

import (
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// busy is a rule and a capture that it takes too long on.
const busyRule = `alert tcp any any -> any any (msg:"busy"; flow:established,to_server; content:"a"; content:"a"; within:900; content:"b"; within:900; content:"c"; within:3; sid:7;)
`

func busy() []nftest.Packet {
	var parts []string
	for range 6 {
		parts = append(parts, strings.Repeat("aab", 480), "")
	}
	return nftest.Packets(nftest.Connection("10.0.0.1:1000", "192.0.2.1:80", parts...)...)
}

// TestBudgetPolicy: what is given up raises one event per flow, is counted by rule, and is dropped in mode ips by a chain that fails closed.
func TestBudgetPolicy(t *testing.T) {
	for _, c := range []struct {
		mode    string
		fails   nf.Failure
		dropped bool
		action  string
	}{
		{"ids", nf.FailClosed, false, `"action":"pass"`}, {"ips", nf.FailOpen, false, `"action":"pass"`}, {"ips", nf.FailClosed, true, `"action":"drop"`},
	} {
		s := nftest.Stage{NFs: []string{"ids: {rules: [r], mode: " + c.mode + "}"}, Files: map[string]string{"r": busyRule}}
		p := s.Build(t)
		if c.fails == nf.FailOpen {
			p.OnPanic = nf.Pass
		}
		var events strings.Builder
		drops := map[nf.Verdict]int{}
		for _, k := range busy() {
			p.Start()
			p.Add(k.Data, k.Wire, k.From, k.Time, 0)
			b := p.Run()
			drops[b.Verdicts[0]]++
			lines, _ := b.Events.Take()
			events.Write(lines)
		}
		if got := strings.Count(events.String(), `"budget_exhausted"`); got != 1 || !strings.Contains(events.String(), `"scope":"rule","gid":1,"signature_id":7,`+c.action) {
			t.Errorf("%s: %d events of a budget, want one with %s: %s", c.mode, got, c.action, events.String())
		}
		if c.dropped != (drops[nf.DropIDSBudget] == 1 && drops[nf.DropIDSFlow] > 5) || !c.dropped && drops[nf.Pass] != len(busy()) {
			t.Errorf("%s, %d: verdicts %v", c.mode, c.fails, drops)
		}
		r := p.Reports()[0]
		if rule := r.Rules[0]; rule.Exhausted == 0 || rule.Ticks < 100_000 || rule.Evaluations == 0 {
			t.Errorf("the rule's report does not show what it cost: %+v", rule)
		}
		if r.Counters["budget_exhausted"] == 0 || r.Counters["rules_given_up"] == 0 {
			t.Errorf("counters do not show it: %v", r.Counters)
		}
	}
}

// TestHandOffOfStrikes: a flow that used up budgets has the smaller ones at another worker too.
func TestHandOffOfStrikes(t *testing.T) {
	for _, mode := range []string{"ids", "ips"} {
		s := nftest.Stage{NFs: []string{"ids: {rules: [r], memory: 4, mode: " + mode + "}"}, Files: map[string]string{"r": busyRule}, Flows: 128}
		nftest.HandOff(t, s, busy(), "memory_used", "ticks") // a successor scans once more what its predecessor has
	}
}
