package detect

import "testing"

// TestType: when a rule is tried, after the rules of Suricata's own table of rule types.
func TestType(t *testing.T) {
	for _, c := range []struct {
		rule string
		want Type
		flow bool // a match outside of the stream is about the flow
	}{
		{`alert ip any any -> any any (sid:1;)`, IPOnly, true},
		{`alert tcp-stream any any -> any any (sid:1;)`, IPOnly, true},
		{`alert tcp-pkt [10.0.0.0/8,1.2.3.4] any -> any any (sid:1;)`, IPOnly, true},
		{`alert ip any any -> any any (flowbits:set,a; sid:1;)`, IPOnly, true},
		{`alert ip any any -> any any (ip_proto:6; sid:1;)`, IPOnly, true},
		{`alert tcp any any -> [10.0.0.0/8,!10.1.1.1] any (sid:1;)`, IPPacket, true},
		{`alert ip $EXTERNAL_NET any -> any any (sid:1;)`, IPPacket, true},
		{`alert ip any any -> any any (flowbits:unset,a; sid:1;)`, OfPacket, false},
		{`alert ip any any -> any any (flowbits:isset,a; sid:1;)`, OfPacket, false},
		{`alert udp any any -> any any (flow:to_server; sid:1;)`, OfPacket, false},
		{`alert tcp any any -> any 443 (sid:1;)`, OfPacket, false},
		{`alert tcp any any -> any any (ttl:123; sid:1;)`, OfPacket, false},
		{`alert tcp-pkt any any -> any any (content:"abc"; startswith; sid:1;)`, OfPacket, false},
		{`alert tcp any any -> any any (content:"abc"; startswith; sid:1;)`, OfStream, false},
		{`alert http any any -> any any (content:"abc"; depth:30; sid:1;)`, OfStream, false},
		{`alert tcp-stream any any -> any any (content:"abc"; sid:1;)`, OfStream, false},
		{`alert tcp any any -> any any (app-layer-protocol:http; sid:1;)`, AppOnly, true},
		{`alert tcp any any -> any !80 (flow:to_server; app-layer-protocol:!http; flowbits:set,a; sid:1;)`, AppOnly, true},
		{`alert tcp any any -> any any (flow:established; app-layer-protocol:http; sid:1;)`, OfApp, true},
		{`alert tcp any any -> any any (app-layer-protocol:http; flowbits:isset,a; sid:1;)`, OfApp, true},
		{`alert http any any -> any any (sid:1;)`, OfApp, true},
		{`alert http1 any any -> any any (urilen:44; content:"abc"; sid:1;)`, OfTx, true},
	} {
		s := engine(t, c.rule).Signatures()[0]
		if s.Type != c.want || s.flowAction(false) != c.flow {
			t.Errorf("%s: type %d flow %v, want %d %v", c.rule, s.Type, s.flowAction(false), c.want, c.flow)
		}
	}
}
