package ids

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// testCase is one folder of corpus/ids.
type testCase struct {
	name    string
	stage   nftest.Stage
	capture []nftest.Packet
	expect  expectation
}

type expectation struct {
	Tier      string         `json:"tier"`
	Alerts    map[string]int `json:"alerts"`
	AtLeast   []int          `json:"at_least"`
	Not       []int          `json:"not_alerts"`
	Unchecked []int          `json:"unchecked"`
	Details   []struct {
		SID   int            `json:"sid"`
		Count int            `json:"count"`
		Match map[string]any `json:"match"`
	} `json:"details"`
	Options struct {
		Mode         string `json:"mode"`
		Checksum     string `json:"checksum"`
		Midstream    bool   `json:"midstream"`
		StreamInline *bool  `json:"stream_inline"`
		StreamDepth  *int   `json:"stream_depth"`
		Layers       *int   `json:"http_decompress_layers"`
		Body         *int   `json:"http_response_body_limit"`
	} `json:"options"`
	Vars struct {
		Address map[string]string `json:"address"`
		Port    map[string]string `json:"port"`
	} `json:"vars"`
}

func corpusCases(t testing.TB) []testCase {
	dir := corpus.Folder(t, "ids")
	files, err := filepath.Glob(filepath.Join(dir, "*", "expect.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	sort.Strings(files)
	var all []testCase
	for _, f := range files {
		c := testCase{name: filepath.Base(filepath.Dir(f))}
		data, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(data, &c.expect)
		}
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		rules, err := os.ReadFile(filepath.Join(filepath.Dir(f), "test.rules"))
		if err != nil {
			t.Fatal(err)
		}
		o := map[string]any{"rules": []string{"test.rules"}, "mode": c.expect.Options.Mode, "checksum": c.expect.Options.Checksum, "midstream": c.expect.Options.Midstream}
		if v := c.expect.Options.StreamInline; v != nil {
			o["stream_inline"] = *v
		}
		if v := c.expect.Options.StreamDepth; v != nil {
			o["stream_depth"] = *v
		}
		if v := c.expect.Options.Layers; v != nil {
			o["http_decompress_layers"] = *v
		}
		if v := c.expect.Options.Body; v != nil {
			o["http_response_body_limit"] = *v
		}
		o["vars"] = map[string]any{"address": c.expect.Vars.Address, "port": c.expect.Vars.Port}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		c.stage = nftest.Stage{NFs: []string{"ids: " + string(text)}, Files: map[string]string{"test.rules": string(rules)}, Flows: 1024}
		c.capture = nftest.ReadPCAP(t, filepath.Join(filepath.Dir(f), "input.pcap"))
		all = append(all, c)
	}
	return all
}

// replay runs a capture with its end, and returns the alerts.
func replay(t testing.TB, s nftest.Stage, capture []nftest.Packet, batch int) []map[string]any {
	t.Helper()
	p := s.Build(t)
	return alertsOf(t, play(p, capture, batch))
}

func play(p *nf.Pipeline, capture []nftest.Packet, batch int) string {
	var out strings.Builder
	now := int64(0)
	take := func(b *nf.Batch) {
		lines, _ := b.Events.Take()
		out.Write(lines)
	}
	b := p.Start()
	for i, k := range capture {
		if len(b.Packets) == batch || len(b.Packets) > 0 && !p.Room(k.Time) {
			take(p.Run())
			b = p.Start()
		}
		p.Add(append([]byte(nil), k.Data...), k.Wire, nf.Inside, k.Time, uint64(i+1))
		now = max(now, k.Time)
	}
	take(p.Run())
	take(p.Flush(now))
	return out.String()
}

func alertsOf(t testing.TB, lines string) (alerts []map[string]any) {
	t.Helper()
	for _, line := range strings.Split(lines, "\n") {
		if line == "" {
			continue
		}
		m := map[string]any{}
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber() // a sid as a float loses its digits
		if err := d.Decode(&m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if m["event_type"] == "alert" {
			alerts = append(alerts, m)
		}
	}
	return alerts
}

func count(alerts []map[string]any) map[string]int {
	n := map[string]int{}
	for _, a := range alerts {
		n[fmt.Sprint(a["alert"].(map[string]any)["signature_id"])]++
	}
	return n
}

// verdict says what is wrong with the alerts, nothing if they are as expected.
func (c *testCase) verdict(alerts []map[string]any) string {
	n := count(alerts)
	least := map[string]bool{}
	for _, id := range c.expect.AtLeast {
		least[fmt.Sprint(id)] = true
	}
	var wrong []string
	for id, want := range c.expect.Alerts {
		if got := n[id]; got != want && !(least[id] && got > want) {
			wrong = append(wrong, fmt.Sprintf("sid %s: %d alerts, want %d", id, got, want))
		}
	}
	for _, id := range c.expect.Not {
		if got := n[fmt.Sprint(id)]; got != 0 {
			wrong = append(wrong, fmt.Sprintf("sid %d: %d alerts, want none", id, got))
		}
	}
	for _, d := range c.expect.Details {
		got := 0
		for _, a := range alerts {
			if fmt.Sprint(a["alert"].(map[string]any)["signature_id"]) == fmt.Sprint(d.SID) && matches(a, d.Match) {
				got++
			}
		}
		if got != d.Count {
			wrong = append(wrong, fmt.Sprintf("sid %d: %d alerts with %v, want %d", d.SID, got, d.Match, d.Count))
		}
	}
	sort.Strings(wrong)
	return strings.Join(wrong, "; ")
}

func matches(event map[string]any, want map[string]any) bool {
	for path, w := range want {
		var v any = event
		for _, k := range strings.Split(path, ".") {
			m, ok := v.(map[string]any)
			if !ok {
				return false
			}
			v = m[k]
		}
		a, err1 := netip.ParseAddr(fmt.Sprint(v))
		b, err2 := netip.ParseAddr(fmt.Sprint(w))
		if err1 == nil && err2 == nil {
			if a != b {
				return false
			}
			continue
		}
		if fmt.Sprint(v) != fmt.Sprint(w) {
			return false
		}
	}
	return true
}

// reasons are why cases fail, for the table in README.md.
var reasons = map[string]string{}

// TestCorpus runs every case one packet a batch and in batches of 64, and holds the outcome against the table in README.md:
// a case that stops passing fails the test, and so does one that begins to.
func TestCorpus(t *testing.T) {
	passed, all := map[string]int{}, map[string]int{}
	var failed []string
	for _, c := range corpusCases(t) {
		all[c.expect.Tier]++
		one := replay(t, c.stage, c.capture, 1)
		wrong := c.verdict(one)
		if many := count(replay(t, c.stage, c.capture, 64)); fmt.Sprint(many) != fmt.Sprint(count(one)) {
			t.Errorf("%s: in batches of 64: %v, one by one: %v", c.name, many, count(one))
		}
		if wrong == "" {
			passed[c.expect.Tier]++
			continue
		}
		t.Logf("%s: %s", c.name, wrong)
		why := reasons[c.name]
		if why == "" {
			t.Errorf("%s fails and no reason is known: %s", c.name, wrong)
		}
		failed = append(failed, fmt.Sprintf("| `%s` | %s | %s |", c.name, c.expect.Tier, why))
	}
	var b strings.Builder
	b.WriteString("| tier | passed | of |\n|---|---|---|\n")
	for _, tier := range []string{"core", "http", "dns", "tls"} {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", tier, passed[tier], all[tier])
	}
	if len(failed) > 0 {
		b.WriteString("\n| failed | tier | reason |\n|---|---|---|\n" + strings.Join(failed, "\n") + "\n")
	}
	if corpus.HasLarger(t, "ids") {
		compareTable(t, b.String())
	}
}

// compareTable holds table against the part of README.md between two comments, or writes it there.
func compareTable(t *testing.T, table string) {
	t.Helper()
	const from, to = "<!-- corpus -->\n", "<!-- corpus end -->"
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), from)
	was, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatal("README.md lacks the comments around its table of cases")
	}
	if os.Getenv("GRANULE_UPDATE") == "1" {
		if err := os.WriteFile("README.md", []byte(head+from+table+to+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if was != table {
		t.Errorf("README.md says\n%s\nand now it is\n%s\nGRANULE_UPDATE=1 writes it", was, table)
	}
}
