package detect

import "testing"

// TestOutcome: what a match comes to for the packet and its flow.
func TestOutcome(t *testing.T) {
	const frame = "abc"
	for _, c := range []struct {
		name, rules    string
		noFlow         bool
		alerts         int
		drops, passing bool
	}{
		{"alert", `alert udp any any -> any any (content:"abc"; sid:1;)`, false, 1, false, false},
		{"bypass", `alert udp any any -> any any (content:"abc"; bypass; sid:1;)`, false, 1, false, true},
		{"no bypass without a match", `alert udp any any -> any any (content:"x"; bypass; sid:1;)`, false, 0, false, false},
		{"pass of a packet", "pass udp any any -> any any (content:\"abc\"; sid:1;)\nalert udp any any -> any any (content:\"a\"; sid:2;)", false, 0, false, false},
		{"pass of a flow", `pass udp any any -> any any (sid:1;)`, false, 0, false, true},
		{"drop before alert", "alert udp any any -> any any (content:\"a\"; sid:1;)\ndrop udp any any -> any any (content:\"abc\"; sid:2;)", false, 2, true, false},
		{"any state of a flow", `alert udp any any -> any any (flow:stateless; content:"abc"; sid:1;)`, false, 1, false, false},
		{"no flow", `alert udp any any -> any any (flow:stateless; content:"abc"; sid:1;)`, true, 0, false, false},
	} {
		e := engine(t, c.rules)
		p := datagram([]byte(frame))
		p.HasFlow, p.First = !c.noFlow, true
		e.Packet(p)
		var o Outcome
		e.Finish(p, 0, &o)
		if drops := o.By != nil && o.Action.Drops(); len(o.Alerts) != c.alerts || drops != c.drops || o.PassFlow != c.passing {
			t.Errorf("%s: %d alerts, drops %v, flow passes %v", c.name, len(o.Alerts), drops, o.PassFlow)
		}
	}
}
