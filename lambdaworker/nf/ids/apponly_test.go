package ids

import (
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// ofProtocols are rules on the application protocol alone, and one beside them that asks for each packet.
const ofProtocols = `alert tcp any any -> any any (app-layer-protocol:http; sid:1;)
alert tcp any any -> any any (flow:to_server; app-layer-protocol:http; sid:2;)
alert tcp any any -> any any (app-layer-protocol:tls; sid:3;)
alert tcp any any -> any any (app-layer-protocol:!tls; sid:4;)
alert tcp any any -> any any (flow:established; app-layer-protocol:http; sid:5;)
`

// TestProtocolAlone: a rule on the protocol alone alerts once a direction, however many packets follow.
func TestProtocolAlone(t *testing.T) {
	for _, mode := range []string{"ids", "ips"} {
		got := count(replay(t, stageOf(ofProtocols, "mode: "+mode), page, 4))
		if got["1"] != 2 || got["2"] != 1 || got["3"] != 0 || got["4"] != 2 || got["5"] <= 2 {
			t.Errorf("mode %s: alerts by sid %v, want 2 of 1, one of 2, none of 3, 2 of 4, more of 5", mode, got)
		}
	}
}

func TestProtocolAloneHandOff(t *testing.T) {
	nftest.HandOff(t, stageOf(ofProtocols, "mode: ids"), conversations(), "memory_used")
}
