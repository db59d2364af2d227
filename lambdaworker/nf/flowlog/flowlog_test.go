package flowlog_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
	"github.com/granule-nf/granule/lambdaworker/nf/flowlog"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
	"github.com/granule-nf/granule/lambdaworker/state"
)

const a, b = "10.0.0.1:1000", "192.0.2.1:80"

// stage builds a stage that raises the types of events.
func stage(t testing.TB, flows int, set nf.EventSet, functions ...string) *nf.Pipeline {
	t.Helper()
	bundle := nf.Bundle{Chain: "edge", Flows: flows, Events: set, Files: map[string][]byte{
		"drop.nft": []byte("table inet f {\n chain c {\n  type filter hook forward priority 0; policy accept;\n  udp dport 53 drop\n }\n}\n"),
		"r.rules":  []byte("drop tcp any any -> any any (msg:\"evil\"; content:\"evil\"; sid:1;)\n"),
	}}
	for i, f := range functions {
		name, options, _ := strings.Cut(f, ": ")
		bundle.NFs = append(bundle.NFs, nf.BundleNF{Name: name, Options: options, File: "g", Line: i + 1, Column: 1})
	}
	p, err := nf.Build(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// events runs a capture and returns the events of a type, with those of the end behind a marker.
func events(t testing.TB, p *nf.Pipeline, kind string, capture []nftest.Packet, flush bool) (all []map[string]any) {
	t.Helper()
	lines := nftest.Run(p, capture, 16).Events
	if flush && len(capture) > 0 {
		text, _ := p.Flush(capture[len(capture)-1].Time).Events.Take()
		lines = append(lines, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	}
	for _, line := range lines {
		var v map[string]any
		if line == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if v["event_type"] == kind {
			all = append(all, v)
		}
	}
	return all
}

func connection() []nftest.P {
	return []nftest.P{
		nftest.TCP(a, b, "S", "").Numbers(100, 0), nftest.TCP(b, a, "SA", "").Numbers(500, 101).Outside().At(time.Second),
		nftest.TCP(a, b, "A", "GET /").Numbers(101, 501).At(2 * time.Second), nftest.TCP(b, a, "A", "OK").Numbers(501, 106).Outside().At(3 * time.Second),
		nftest.TCP(a, b, "FA", "").Numbers(106, 503).At(4 * time.Second), nftest.TCP(b, a, "FA", "").Numbers(503, 107).Outside().At(5 * time.Second),
	}
}

// The fields of a flow event are those of Suricata's published schema, with its types and its words.
func TestFlowFields(t *testing.T) {
	got := events(t, stage(t, 64, nf.EventsOf(nf.EventFlow), "counter: {}"), "flow", nftest.Packets(connection()...), true)
	if len(got) != 1 {
		t.Fatalf("%d flow events, want 1: %v", len(got), got)
	}
	e := got[0]
	flow, tcp := e["flow"].(map[string]any), e["tcp"].(map[string]any)
	if want := "app? dest_ip dest_port event_type flow flow_id in_iface proto src_ip src_port tcp timestamp"; want != "app? "+keys(e) {
		t.Errorf("members %s, want %s", keys(e), want)
	}
	if want := "age alerted bytes_toclient bytes_toserver end pkts_toclient pkts_toserver reason start state"; keys(flow) != want {
		t.Errorf("flow has %s, want %s", keys(flow), want)
	}
	for name, want := range map[string]any{"src_ip": "10.0.0.1", "src_port": 1000.0, "dest_ip": "192.0.2.1", "dest_port": 80.0, "proto": "TCP", "in_iface": "inside"} {
		if e[name] != want {
			t.Errorf("%s is %v, want %v", name, e[name], want)
		}
	}
	for name, want := range map[string]any{"pkts_toserver": 3.0, "pkts_toclient": 3.0, "age": 5.0, "state": "closed", "reason": "shutdown", "alerted": false} {
		if flow[name] != want {
			t.Errorf("flow.%s is %v, want %v", name, flow[name], want)
		}
	}
	if tcp["tcp_flags_ts"] != "13" || tcp["tcp_flags_tc"] != "13" || tcp["tcp_flags"] != "13" {
		t.Errorf("tcp is %v, want FIN, SYN and ACK both ways", tcp)
	}
}

func keys(m map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

// A flow is told once, when it is over, whatever the reason.
func TestHowFlowsEnd(t *testing.T) {
	query, answer := nftest.UDP(a, "192.0.2.1:53", "q"), nftest.UDP("192.0.2.1:53", a, "a").Outside()
	other := func(n int, at time.Duration) nftest.P {
		return nftest.UDP(fmt.Sprintf("10.0.1.1:%d", n), "192.0.2.9:99", "x").At(at)
	}
	var busy []nftest.P // enough packets for a sweep over the table
	for i := range 200 {
		busy = append(busy, other(7, 40*time.Second+time.Duration(i)*time.Millisecond))
	}
	for _, tt := range []struct {
		name    string
		flows   int
		capture []nftest.P
		want    string // of flows to port 53 and 80: state/reason/packets
	}{
		{"the capture's end", 64, []nftest.P{query, answer}, "established/shutdown/2"},
		{"silence, found by the next packet", 64, []nftest.P{query, query.At(31 * time.Second)}, "new/timeout/1 new/shutdown/1"},
		{"silence, not long enough once answered", 64, []nftest.P{query, answer, query.At(31 * time.Second)}, "established/shutdown/3"},
		{"silence, found by a sweep", 64, append([]nftest.P{query}, busy...), "new/timeout/1"},
		{"a full table", 8, append([]nftest.P{query}, other(1, 1e6), other(2, 2e6), other(3, 3e6), other(4, 4e6), other(5, 5e6), other(6, 6e6), other(7, 7e6), other(8, 20e6), other(9, 40e6)), "new/forced/1"},
		{"another connection of the same ports", 64, append(connection(), nftest.TCP(a, b, "S", "").Numbers(9, 0).At(6*time.Second)), "closed/forced/6 new/shutdown/1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range events(t, stage(t, tt.flows, nf.EventsOf(nf.EventFlow), "counter: {}"), "flow", nftest.Packets(tt.capture...), true) {
				if f := e["flow"].(map[string]any); e["dest_port"] == 53.0 || e["dest_port"] == 80.0 {
					got = append(got, fmt.Sprintf("%v/%v/%v", f["state"], f["reason"], f["pkts_toserver"].(float64)+f["pkts_toclient"].(float64)))
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("flow events %s, want %s", s, tt.want)
			}
		})
	}
}

// Without packets, the time alone ends flows, and statistics go on.
func TestQuiet(t *testing.T) {
	p := stage(t, 64, nf.EventsOf(nf.EventFlow, nf.EventStats), "counter: {}")
	capture := nftest.Packets(nftest.UDP(a, "192.0.2.1:53", "q"))
	nftest.Run(p, capture, 16)
	if text, _ := p.Tick(capture[0].Time + 7e9).Events.Take(); len(text) > 0 {
		t.Errorf("after 7 s: %s", text)
	}
	text, _ := p.Tick(capture[0].Time + 31e9).Events.Take()
	if s := string(text); strings.Count(s, "\n") != 2 || !strings.Contains(s, `"reason":"timeout"`) || !strings.Contains(s, `"event_type":"stats","host":"edge/0","stats":{"uptime":31,"decoder":{"pkts":1,`) {
		t.Errorf("after 31 s: %s", text)
	}
	if text, _ := p.Flush(capture[0].Time + 32e9).Events.Take(); strings.Contains(string(text), `"flow"`) && strings.Contains(string(text), `"event_type":"flow"`) {
		t.Errorf("the flow is told twice: %s", text)
	}
}

// Statistics come every eight seconds of the packets' time and add up.
func TestStats(t *testing.T) {
	p := stage(t, 64, nf.EventsOf(nf.EventStats), "firewall: {rules: drop.nft}")
	var capture []nftest.P
	for i := range 20 {
		capture = append(capture, nftest.TCP(a, b, "A", "x").At(time.Duration(i)*time.Second), nftest.UDP(a, "192.0.2.1:53", "q").At(time.Duration(i)*time.Second))
	}
	got := events(t, p, "stats", nftest.Packets(capture...), true)
	if len(got) != 3 { // after 8 and 16 seconds, and at the end
		t.Fatalf("%d events, want 3: %v", len(got), got)
	}
	s := got[2]["stats"].(map[string]any)
	decoder, ips := s["decoder"].(map[string]any), s["ips"].(map[string]any)
	for name, want := range map[string]float64{"pkts": 40, "ipv4": 40, "tcp": 20, "udp": 20, "ipv6": 0, "invalid": 0} {
		if decoder[name] != want {
			t.Errorf("decoder.%s is %v, want %v", name, decoder[name], want)
		}
	}
	if ips["accepted"] != 20.0 || ips["blocked"] != 20.0 || s["uptime"] != 19.0 || got[2]["host"] != "edge/0" {
		t.Errorf("event %v", got[2])
	}
}

// Every packet that a function dropped is told once, by the function that knows more or by the recorder; and a flow knows of its alert.
func TestDropsAndAlerts(t *testing.T) {
	p := stage(t, 64, nf.EventsOf(nf.EventDrop, nf.EventFlow), "firewall: {rules: drop.nft}", "ids: {rules: [r.rules], mode: ips}")
	capture := nftest.Packets(append(connection()[:3], nftest.TCP(a, b, "A", "evil").Numbers(106, 501).At(3*time.Second), nftest.UDP(a, "192.0.2.1:53", "q").At(4*time.Second))...)
	r := nftest.Run(p, capture, 16)
	text := strings.Join(r.Events, "\n")
	if n := strings.Count(text, `"event_type":"drop"`); n != 2 || !strings.Contains(text, `"reason":"ids_rule"`) || !strings.Contains(text, `"reason":"firewall_rule"`) {
		t.Errorf("verdicts %s; %d drop events: %s", r.Verdicts(), n, text)
	}
	if strings.Contains(text, `"event_type":"alert"`) {
		t.Errorf("alerts are off: %s", text)
	}
	p = stage(t, 64, nf.EventsOf(nf.EventAlert, nf.EventFlow), "ids: {rules: [r.rules], mode: ips}")
	for _, e := range events(t, p, "flow", capture, true) {
		if f := e["flow"].(map[string]any); f["alerted"] != (e["proto"] == "TCP") {
			t.Errorf("alerted of %v is %v", e["proto"], f["alerted"])
		}
	}
}

// By default nothing is told of flows, and no statistics.
func TestDefaultIsQuiet(t *testing.T) {
	p := stage(t, 64, 0, "firewall: {rules: drop.nft}")
	text := strings.Join(nftest.Run(p, nftest.Packets(append(connection(), nftest.UDP(a, "192.0.2.1:53", "q").At(time.Hour))...), 16).Events, "\n")
	more, _ := p.Flush(0).Events.Take()
	if strings.Count(text, "event_type") != 1 || !strings.Contains(text, `"event_type":"drop"`) || len(more) > 0 {
		t.Errorf("events %s%s", text, more)
	}
}

// A flow that moves between two workers is told once, as if one had seen it all.
func TestFlowsMove(t *testing.T) {
	capture := nftest.Packets(connection()...)
	for cut := 1; cut < len(capture); cut++ {
		old, next := stage(t, 64, nf.EventsOf(nf.EventFlow), "counter: {}"), stage(t, 64, nf.EventsOf(nf.EventFlow), "counter: {}")
		var moved []byte
		for _, k := range capture[:cut] {
			old.Start()
			old.Add(k.Data, k.Wire, k.From, k.Time, 0)
			old.Run()
			moved = old.AppendDelta(moved)
		}
		if err := next.ApplyDelta(moved); err != nil {
			t.Fatal(err)
		}
		got := events(t, next, "flow", capture[cut:], true)
		want := events(t, stage(t, 64, nf.EventsOf(nf.EventFlow), "counter: {}"), "flow", capture, true)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("cut at %d:\n got %v\nwant %v", cut, got, want)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	p := stage(t, 16, nf.EventsOf(nf.EventFlow, nf.EventStats, nf.EventDrop), "firewall: {rules: drop.nft}")
	var capture []nftest.Packet
	for i := range 64 {
		capture = append(capture, nftest.UDP(fmt.Sprintf("10.0.0.1:%d", 1000+i), "192.0.2.1:53", "q").Packet())
	}
	now := capture[0].Time
	buf := make([]byte, 0, 1<<20)
	one := func() {
		p.Start()
		for _, k := range capture {
			p.Add(k.Data, k.Wire, k.From, now, 0)
			now += 1e9
		}
		p.Run().Events.Take()
		buf = p.AppendDelta(buf[:0])
		p.Tick(now).Events.Take()
	}
	one()
	if n := testing.AllocsPerRun(20, one); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzApplyFlow(f *testing.F) {
	f.Add(make([]byte, 53))
	f.Fuzz(func(t *testing.T, data []byte) {
		table := state.NewTable(8, 1e9, 1)
		r := flowlog.New(nf.RecorderSetup{Flows: table, Events: nf.EventsOf(nf.EventFlow)})
		flow := table.Put(&[6]uint64{0, 1, 0, 2, 3}, 1)
		if r.ApplyFlow(flow, data) != nil {
			if got := r.AppendFlow(nil, flow); len(got) != 0 {
				t.Error("a record that was refused left something")
			}
			return
		}
		if got := r.AppendFlow(nil, flow); string(got) != string(data) {
			t.Errorf("%x came back as %x", data, got)
		}
	})
}
