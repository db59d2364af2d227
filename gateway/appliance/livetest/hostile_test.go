package livetest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/gateway/gatewaytest"
)

const hostileBesideHonest = `chains:
  - name: attacked
    match: port 7001
    stages:
      - - counter: {}
  - name: honest
    stages:
      - - counter: {}
`

// A worker that has joined attacks, again and again, in one mode after the other. The traffic of the other chain's workers loses nothing; the attack is
// counted or ends the worker, by its name.
func TestLiveHostileWorker(t *testing.T) {
	for mode, why := range map[string]string{
		"result-never-asked": "reason=wire_sequence",
		"rewrite":            "it changed of a packet what no function of its stage changes",
		"rewrite-to-nothing": "it changed of a packet what no function of its stage changes",
		"broadcast":          "it made a frame, which no function of its stage does",
		"frames":             "reason=rate",
		"records":            "reason=rate",
		"forged-state":       "", // refused and counted
		"events":             "",
	} {
		t.Run(mode, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skipf("%s needs root: it makes network namespaces", t.Name())
			}
			dir, binary := t.TempDir(), gatewaytest.Build(t, "hostile", "gateway/appliance/livetest/testdata/hostile")
			text, err := json.Marshal(map[string]string{"Chain": "attacked", "Mode": mode})
			artifact, events := filepath.Join(dir, "bootstrap"), filepath.Join(dir, "eve.json")
			if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "orders.json"), text, 0o600), os.Link(binary, artifact)); err != nil {
				t.Fatal(err)
			}
			l := newLiveWith(t, liveConfig{
				files: map[string]string{"granule.yaml": hostileBesideHonest},
				flags: []string{"--worker-confine=false", "--bootstrap", artifact, "--events", events},
			})
			l.standby()
			stop := make(chan struct{})
			attacked := l.background(7001, stop)
			r := l.transfer(4<<20, func() {
				l.until("the attack has been met", func() bool {
					s, err := l.status()
					if err != nil {
						return false
					}
					switch mode {
					case "forged-state":
						return s.Memory.Replica.Refused+s.Memory.Replica.Damaged > 0 || s.Memory.Replica.Entries > 1000
					case "events":
						return s.Events.Lost > 1000
					}
					return strings.Contains(l.said(), why)
				})
			})
			close(stop)
			<-attacked // what becomes of its own traffic is the attacker's business
			l.intact(r)
			s := l.closed(true)
			for reason, n := range s.Ledger.Dropped {
				if strings.HasPrefix(reason, "inject") || strings.HasPrefix(reason, "rewrite") {
					t.Errorf("%d frames that a counter has no right to make are in the ledger: %s", n, reason)
				}
			}
			if s.Ledger.Injected > 0 {
				t.Errorf("%d frames of a chain that makes none were sent", s.Ledger.Injected)
			}
			if mode == "events" {
				if st, err := os.Stat(events); err != nil || st.Size() > 200<<20 {
					t.Errorf("the event log: %v, %v", st, err)
				}
				if s.Events.Lost > 1<<31 {
					t.Errorf("%d events lost: that is what the worker claims", s.Events.Lost)
				}
			}
			t.Logf("UDP of the honest chain: p50 %v, p99 %v, %d sent, %d lost; workers lost %d", r.udp.Latency.Percentile(50), r.udp.Latency.Percentile(99), r.udp.Sent, r.udp.Lost(), s.Fleet.Lost)
		})
	}
}
