package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress"
)

// What functions count and rules have met is the sum over workers; what they gave up for room, lost events and the kernel's drops stand in the text.
func TestFunctionsAndLossesAreShown(t *testing.T) {
	report := func(packets string) json.RawMessage {
		return json.RawMessage(`{"nfs":[{"chain":"edge","stage":1,"nf":"firewall","counters":{"flows_evicted_established":2,"accepted":` + packets + `},
			"rules":[{"file":"a.nft","line":3,"packets":` + packets + `,"bytes":100},{"file":"a.nft","line":4,"packets":0,"bytes":0}]}]}`)
	}
	s := &Status{Reports: map[uint32]json.RawMessage{1: report("5"), 2: report("7"), 3: json.RawMessage(`{"nfs": "what a liar says"}`)},
		Events: EventCounters{Written: 4, Lost: 9}, Ports: map[string]ingress.PortStats{"inside": {RxRingFull: 41}}}
	f := s.Functions()
	if len(f) != 1 || f[0].Counters["accepted"] != 12 || len(f[0].Rules) != 1 || f[0].Rules[Rule{"a.nft", 3, 0}] != (RuleTotal{12, 200}) {
		t.Fatalf("%+v", f)
	}
	shown := map[string]float64{}
	for _, m := range functionFamilies() {
		m.read(s, func(v float64, labels ...string) { shown[m.desc.String()[:60]+strings.Join(labels, " ")] += v })
	}
	if len(shown) != 4 {
		t.Errorf("%v", shown)
	}
	var text strings.Builder
	s.Print(&text)
	for _, want := range []string{"inside port: 41 dropped by the kernel", "41 for a full ring", "events: 4 written, 9 lost", "given up for room by functions: firewall flows_evicted_established 4"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("status does not say %q:\n%s", want, text.String())
		}
	}
}
