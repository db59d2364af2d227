package ids

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// TestHandOffOfCorpus: cut at every k-th packet, with the state moved into a fresh instance, a capture gives the events of one
// instance that saw it all.
func TestHandOffOfCorpus(t *testing.T) {
	for _, c := range corpusCases(t) {
		if len(c.capture) > 400 && c.name != "decode-sll2-02" || fragments(c.capture) {
			continue // fragments that wait for others do not move: see README, limits
		}
		// Many instances are made: small ones.
		c.stage.Flows = 128
		c.stage.NFs[0] = strings.Replace(c.stage.NFs[0], "{", `{"memory":4,`, 1)
		t.Run(c.name, func(t *testing.T) {
			want := play(c.stage.Build(t), c.capture, 1)
			for _, k := range []int{1 + len(c.capture)/30, 3 + len(c.capture)/15} {
				if got := moved(t, c.stage, c.capture, k); got != want {
					t.Errorf("cut every %d packets:\n%s\nwant\n%s", k, got, want)
				}
			}
		})
	}
}

func fragments(capture []nftest.Packet) bool {
	for _, p := range capture {
		var in packet.Info
		if packet.Parse(p.Data, int(p.Wire), &in); in.Frag {
			return true
		}
	}
	return false
}

func moved(t *testing.T, s nftest.Stage, capture []nftest.Packet, k int) string {
	t.Helper()
	var out strings.Builder
	now := int64(0)
	p := s.Build(t)
	take := func(b *nf.Batch) {
		lines, _ := b.Events.Take()
		out.Write(lines)
	}
	for i, c := range capture {
		if i > 0 && i%k == 0 {
			state := p.AppendSnapshot(nil, nil)
			p = s.Build(t)
			if err := p.ApplyDelta(state); err != nil {
				t.Fatalf("before packet %d: %v", i+1, err)
			}
		}
		p.Start()
		p.Add(append([]byte(nil), c.Data...), c.Wire, nf.Inside, c.Time, uint64(i+1))
		take(p.Run())
		now = max(now, c.Time)
	}
	take(p.Flush(now))
	return out.String()
}

// TestHandOffOfThresholds: what a threshold counted moves, by snapshot and by deltas, with the counters.
func TestHandOffOfThresholds(t *testing.T) {
	rules := `alert udp any any -> any 53 (msg:"a"; threshold:type threshold, track by_src, count 3, seconds 60; sid:1;)
alert udp any any -> any 53 (msg:"b"; detection_filter:track by_dst, count 4, seconds 60; sid:2;)
alert udp any any -> any 53 (msg:"c"; threshold:type limit, track by_rule, count 2, seconds 5; sid:3;)
`
	var ps []nftest.P
	for i := range 40 {
		ps = append(ps, nftest.UDP(fmt.Sprintf("10.0.0.%d:1000", 1+i%3), "192.0.2.1:53", "payload"))
	}
	nftest.HandOff(t, nftest.Stage{NFs: []string{"ids: {rules: [r]}"}, Files: map[string]string{"r": rules}}, nftest.Packets(ps...), "memory_used")
}

// FuzzApplyFlow: bytes that no instance wrote give an error and no panic, and what was taken is given again.
func FuzzApplyFlow(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	n := instance(f, `alert http any any -> any any (http.uri; content:"x"; sid:1;)`, "memory: 1", 16)
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = n.ApplyFlow(3, data)
		if err := n.ApplyFlow(4, n.AppendFlow(nil, 3)); err != nil {
			t.Fatalf("what was appended is refused: %v", err)
		}
		n.ForgetFlow(3)
		n.ForgetFlow(4)
		_ = n.ApplyShared(data)
	})
}

// optionsText is options as YAML text, for tests that need the instance itself.
type optionsText string

func (o optionsText) Decode(v any) error { return yaml.Unmarshal([]byte(o), v) }

func (o optionsText) Position(string) (string, int, int) { return "test.yaml", 1, 1 }

// instance makes a function without a pipeline.
func instance(t testing.TB, rules, more string, flows int) *IDS {
	t.Helper()
	o := "rules: [r]\n" + more
	f, err := New(nf.Setup{Options: optionsText(o), Flows: state.NewTable(flows, 1<<40, 1), Open: func(string) ([]byte, error) { return []byte(rules), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return f.(*IDS)
}
