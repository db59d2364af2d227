package replay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
)

// A chain says which events replay writes: flows and statistics only where they are asked for, drops unless they are not.
func TestReplayEventTypes(t *testing.T) {
	in := filepath.Join(filepath.Dir(corpus.Captures(t, "own", "traffic")[0]), "tcp.pcap")
	const rules = "table inet f {\n chain c {\n  type filter hook forward priority 0; policy drop;\n  tcp dport 80 accept\n }\n}\n"
	path := filepath.Join(t.TempDir(), "f.nft")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		types string
		want  map[string]bool
	}{
		{"", map[string]bool{"drop": true}},
		{"event-types: [flow, stats], ", map[string]bool{"flow": true, "stats": true}},
		{"event-types: [], ", map[string]bool{}},
		{"event-types: [drop, flow], ", map[string]bool{"drop": true, "flow": true}},
	} {
		r, err := runReplay(t, "chains: [{name: fw, "+tt.types+"stages: [[firewall: {rules: "+path+"}]]}]\n", in)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		packets := 0.0
		for _, e := range r.events {
			kind := e["event_type"].(string)
			got[kind]++
			if kind == "flow" {
				f := e["flow"].(map[string]any)
				packets += f["pkts_toserver"].(float64) + f["pkts_toclient"].(float64)
			}
		}
		for _, kind := range []string{"drop", "flow", "stats"} {
			if got[kind] > 0 != tt.want[kind] {
				t.Errorf("%q: events %v", strings.TrimSpace(tt.types), got)
			}
		}
		if tt.want["flow"] && uint64(packets) != r.counters.Packets.Received { // the flow's first packet passed, so those that were dropped are counted, too
			t.Errorf("flow events count %v packets of %+v", packets, r.counters.Packets)
		}
	}
}
