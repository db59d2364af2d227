package replay

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// idsCase is expect.json of corpus/ids.
type idsCase struct {
	Tier      string
	Alerts    map[string]int
	AtLeast   []int `json:"at_least"`
	NotAlerts []int `json:"not_alerts"`
	Unchecked []int
	Options   map[string]any
	Vars      map[string]map[string]string
	Details   []struct {
		SID   int
		Count int
		Match map[string]any
	}
}

// knownIDS are the cases that fail, each with why: the README of ids has the table.
var knownIDS = map[string]string{}

// The corpus of IDS rules, through the whole command: the alerts of each case.
func TestReplayIDSCorpus(t *testing.T) {
	if _, ok := nf.Lookup("ids"); !ok {
		t.Skip("no function is named ids in this build")
	}
	cases, err := filepath.Glob(filepath.Join(corpus.Folder(t, "ids"), "*", "expect.json"))
	if err != nil || len(cases) == 0 {
		t.Skipf("the corpus holds no IDS cases: %v", err)
	}
	passed, all := map[string]int{}, map[string]int{}
	for i, path := range cases {
		dir, err := filepath.Abs(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(dir)
		var c idsCase
		readJSON(t, path, &c)
		t.Run(name, func(t *testing.T) {
			all[c.Tier]++
			r, err := runReplay(t, c.yaml(t, filepath.Join(dir, "test.rules")), filepath.Join(dir, "input.pcap"), "--batch", []string{"32", "1", "256"}[i%3])
			wrong := fmt.Sprint(err)
			if err == nil {
				wrong = c.wrong(r.events)
			}
			switch why, known := knownIDS[name]; {
			case wrong == "" && known:
				t.Errorf("passes now; take it off the list of cases that fail (%s)", why)
			case wrong == "":
				passed[c.Tier]++
			case !known:
				t.Error(wrong)
			}
		})
	}
	for tier, n := range all {
		t.Logf("tier %s: %d of %d", tier, passed[tier], n)
	}
}

func (c *idsCase) yaml(t *testing.T, rules string) string {
	options := map[string]any{"rules": []string{rules}, "vars": c.Vars}
	for k, v := range c.Options {
		options[k] = v
	}
	text, err := json.Marshal(options) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	return "chains:\n  - name: ids\n    stages:\n      - - ids: " + string(text) + "\n"
}

// wrong says what in events is not as expected, or nothing.
func (c *idsCase) wrong(events []map[string]any) string {
	counts := map[string]int{}
	var alerts []map[string]any
	for _, e := range events {
		if a, ok := e["alert"].(map[string]any); ok && e["event_type"] == "alert" {
			counts[strconv.Itoa(int(a["signature_id"].(float64)))]++
			alerts = append(alerts, e)
		}
	}
	var wrong []string
	for id, want := range c.Alerts {
		n, _ := strconv.Atoi(id)
		if got := counts[id]; got < want || got > want && !slices.Contains(c.AtLeast, n) {
			wrong = append(wrong, fmt.Sprintf("signature %s alerts %d times, want %d", id, got, want))
		}
	}
	for id, got := range counts {
		n, _ := strconv.Atoi(id)
		if _, expected := c.Alerts[id]; !expected && !slices.Contains(c.Unchecked, n) {
			wrong = append(wrong, fmt.Sprintf("signature %s alerts %d times, want 0", id, got))
		}
	}
	for _, d := range c.Details {
		n := 0
		for _, e := range alerts {
			if e["alert"].(map[string]any)["signature_id"] == float64(d.SID) && fits(e, d.Match) {
				n++
			}
		}
		if n != d.Count {
			wrong = append(wrong, fmt.Sprintf("signature %d alerts %d times with %v, want %d", d.SID, n, d.Match, d.Count))
		}
	}
	slices.Sort(wrong)
	return strings.Join(wrong, "; ")
}

// fits compares fields of an alert; names with dots lead inwards, addresses are compared as addresses.
func fits(event, match map[string]any) bool {
	for name, want := range match {
		var got any = event
		for part := range strings.SplitSeq(name, ".") {
			m, _ := got.(map[string]any)
			got = m[part]
		}
		if strings.HasSuffix(name, "_ip") {
			a, err1 := netip.ParseAddr(fmt.Sprint(got))
			b, err2 := netip.ParseAddr(fmt.Sprint(want))
			if err1 != nil || err2 != nil || a != b {
				return false
			}
			continue
		}
		if got != want {
			return false
		}
	}
	return true
}
