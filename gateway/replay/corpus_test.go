package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/granule-nf/granule/corpus"
)

// The corpus of firewall rule sets, through the whole command: each packet's verdict, each rule's counter, each drop's event.
func TestReplayFirewallCorpus(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join(corpus.Folder(t, "firewall"), "*", "expect.json"))
	if err != nil || len(cases) == 0 {
		t.Skipf("the corpus holds no firewall cases: %v", err)
	}
	for i, path := range cases {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var expect struct {
				Verdicts []string
				Rules    []struct {
					Line    int
					Counter *struct{ Packets, Bytes uint64 }
				}
			}
			readJSON(t, path, &expect)
			rules, err := filepath.Abs(filepath.Join(dir, "rules.nft"))
			if err != nil {
				t.Fatal(err)
			}
			yaml := fmt.Sprintf("chains: [{name: fw, stages: [[firewall: {rules: %q}]]}]\n", rules)
			in := filepath.Join(dir, "input.pcap")
			r, err := runReplay(t, yaml, in, "--inside-hosts", "02:00:00:00:00:01", "--batch", []string{"1", "32", "256"}[i%3])
			if err != nil {
				t.Fatal(err)
			}
			var pass [][]byte
			var dropped []float64
			for i, packet := range recordsOf(t, in) {
				if expect.Verdicts[i] == "accept" {
					pass = append(pass, packet)
				} else {
					dropped = append(dropped, float64(i+1))
				}
			}
			if !slices.EqualFunc(r.records, pass, bytes.Equal) {
				t.Errorf("%d packets left, want %d others", len(r.records), len(pass))
			}
			var told []float64
			for _, e := range r.events {
				if e["event_type"] == "drop" {
					told = append(told, e["pcap_cnt"].(float64))
				}
			}
			if !slices.Equal(told, dropped) {
				t.Errorf("drop events of packets %v, want %v", told, dropped)
			}
			counted := map[int][2]uint64{}
			for _, rule := range r.counters.NFs[0].Rules {
				counted[rule.Line] = [2]uint64{rule.Packets, rule.Bytes}
			}
			for _, rule := range expect.Rules {
				if c := rule.Counter; c != nil && counted[rule.Line] != [2]uint64{c.Packets, c.Bytes} {
					t.Errorf("the rule on line %d counts %v, want %v", rule.Line, counted[rule.Line], *c)
				}
			}
		})
	}
}

// Captures of applications come out as they went in, and of malformed ones every packet is accounted for: of our own corpus everywhere, of the shared one
// where it is.
func TestReplayIsTransparent(t *testing.T) {
	for _, folder := range []string{"traffic", "malformed"} {
		t.Run("own/"+folder, func(t *testing.T) {
			for i, in := range corpus.Captures(t, "own", folder) {
				t.Run(filepath.Base(in), func(t *testing.T) { transparent(t, in, folder, i, uint64(len(recordsOf(t, in)))) })
			}
		})
		t.Run("shared/"+folder, func(t *testing.T) {
			var manifest struct {
				Files []struct {
					File    string
					Packets uint64
				}
			}
			readJSON(t, filepath.Join(corpus.Folder(t, folder), "manifest.json"), &manifest)
			for i, c := range manifest.Files {
				t.Run(c.File, func(t *testing.T) {
					transparent(t, filepath.Join(corpus.Folder(t, folder), c.File), folder, i, c.Packets)
				})
			}
		})
	}
}

// transparent replays a capture of so many packets through a chain that changes nothing; i varies the batch.
func transparent(t *testing.T, in, folder string, i int, packets uint64) {
	t.Helper()
	r, err := runReplay(t, "chains: [{name: all, stages: [[counter: {}]]}]\n", in, "--batch", []string{"32", "1", "256"}[i%3])
	if err != nil {
		t.Fatal(err)
	}
	if p := r.counters.Packets; p.Received != packets || p.Forwarded+p.Bypassed != packets {
		t.Errorf("packets %+v, want %d", p, packets)
	}
	if !slices.EqualFunc(r.records, recordsOf(t, in), bytes.Equal) {
		t.Error("what left differs from what came in")
	}
	if folder == "malformed" { // and again under a policy that drops what contradicts itself
		if _, err := runReplay(t, "chains: [{name: all, stages: [[counter: {}]]}]\n", in, "--malformed", "drop"); err != nil {
			t.Error(err)
		}
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
