package ids

import (
	"fmt"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// TestQuietSession: a session that falls silent without an end is inspected a minute later, and only once.
func TestQuietSession(t *testing.T) {
	ps := nftest.Connection("10.0.0.1:2000", "192.0.2.1:7777", "some secret words", "answer")[:7] // no FIN
	for i := range 4 {
		ps = append(ps, nftest.UDP("10.0.0.9:1000", "192.0.2.1:9999", "x").At(time.Duration(1+i*50)*time.Second))
	}
	p := stageOf(`alert tcp any any -> any any (content:"secret"; sid:1;)`, "mode: ids").Build(t)
	var alerts []map[string]any
	for i, k := range nftest.Packets(ps...) {
		p.Start()
		p.Add(k.Data, k.Wire, k.From, k.Time, uint64(i+1))
		lines, _ := p.Run().Events.Take()
		alerts = append(alerts, alertsOf(t, string(lines))...)
		if i < len(ps)-2 && len(alerts) > 0 {
			t.Fatalf("alert at packet %d: a chunk is not complete and the session is not silent for long", i+1)
		}
	}
	if len(alerts) != 1 || fmt.Sprint(alerts[0]["src_ip"]) != "10.0.0.1" {
		t.Fatalf("%v", alerts)
	}
	lines, _ := p.Flush(0).Events.Take()
	if again := alertsOf(t, string(lines)); len(again) > 0 {
		t.Errorf("inspected again at the end: %v", again)
	}
}

func TestQuietList(t *testing.T) {
	q := newQuiet(4)
	if q.first() != none {
		t.Error("not empty")
	}
	for _, h := range []uint32{2, 0, 3, 2} {
		q.spoke(h)
	}
	q.remove(1) // not on it
	var got []uint32
	for h := q.first(); h != none; h = q.first() {
		got = append(got, h)
		q.remove(h)
	}
	if fmt.Sprint(got) != "[0 3 2]" {
		t.Error(got)
	}
}
