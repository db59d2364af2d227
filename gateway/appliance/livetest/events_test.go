package livetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/gatewaytest"
)

// On live traffic a chain's flows end up in the event log when they have ended, and drops and statistics with them.
func TestLiveEvents(t *testing.T) {
	log := filepath.Join(t.TempDir(), "eve.json")
	l := newLive(t, "--events", log)
	l.rules(refusing)
	if err := os.WriteFile(filepath.Join(l.dir, "granule.yaml"), []byte(gatewaytest.AcceptAll+"    event-types: [drop, flow, stats]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.hup()
	l.until("the chain with more events runs", func() bool {
		s, err := l.status()
		return err == nil && s.Configuration.Generation == 2
	})
	if n := l.arrives(7001); n != 0 {
		t.Errorf("%d datagrams arrive though a rule drops them", n)
	}
	if n := l.arrives(7002); n != 20 {
		t.Errorf("%d of 20 datagrams arrive that no rule drops", n)
	}
	types := map[string]int{}
	packets := 0.0
	// An unanswered UDP flow has ended after 30 s of silence: no packet has to come for it. One of which nothing passed is no flow.
	for end := time.Now().Add(50 * time.Second); packets == 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		clear(types)
		packets = 0
		text, _ := os.ReadFile(log)
		for line := range strings.Lines(string(text)) {
			var e struct {
				Type string `json:"event_type"`
				Port int    `json:"dest_port"`
				Flow struct {
					Packets float64 `json:"pkts_toserver"`
				} `json:"flow"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			types[e.Type]++
			if e.Type == "flow" && e.Port == 7002 {
				packets += e.Flow.Packets
			}
		}
	}
	if packets != 20 || types["drop"] != 20 || types["stats"] < 2 {
		t.Errorf("events %v, flow events of %v packets; expected 20 drops, a flow of 20 packets, and statistics every 8 s", types, packets)
	}
	if s := l.closed(true); s.Events.Lost > 0 {
		t.Errorf("%d events were lost", s.Events.Lost)
	}
}
