package appliance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/counter"
)

// What a worker reports is a stranger's word: text that is no JSON must not cost the status of the whole gateway.
func TestReportThatIsNoJSON(t *testing.T) {
	r := newReports(2)
	r.keep(0, 1, []byte("{\"fine\": 1}"))
	r.keep(0, 2, []byte("not json"))
	r.keep(1, 3, nil)
	r.keep(0, 4, []byte("[1]"))
	r.keep(1, 4, []byte("\"two that are JSON and no report\""))
	text, err := json.Marshal(r.all())
	if err != nil || string(text) != `{"1":{"fine":1}}` {
		t.Errorf("%s, %v; expected the report of worker 1 alone", text, err)
	}
}

// A worker has a connection to every shard and a pipeline on each: what is shown is the sum, of whatever can be added.
func TestReportsAddUp(t *testing.T) {
	r := newReports(3)
	one := func(packets, rule int, top string) []byte {
		return fmt.Appendf(nil, `{"pid":77,"mallocs":%d,"packets":%d,"batches":2,"bytes_in":100,"bytes_out":10,"refused":1,"refusal":"why","nfs":[
			{"chain":"edge","stage":1,"nf":"ids","counters":{"packets":%d,"rules_loaded":9},"rules":[{"file":"a","line":3,"packets":%d,"bytes":5,"id":7}],"top":%s},
			{"chain":"edge","stage":1,"nf":"nat","counters":{},"rules":null}]}`, packets*10, packets, packets, rule, top)
	}
	r.keep(0, 5, one(1000, 10, `[{"a":"x","b":"y","protocol":6,"packets":5,"bytes":500,"error":1},{"a":"m","b":"n","protocol":17,"packets":1,"bytes":10,"error":0}]`))
	r.keep(0, 5, one(3, 1, `[{"a":"x","b":"y","protocol":6,"packets":6,"bytes":600,"error":1},{"a":"m","b":"n","protocol":17,"packets":1,"bytes":10,"error":0}]`)) // the newest counts
	r.keep(2, 5, one(4, 2, `[{"a":"p","b":"q","protocol":6,"packets":9,"bytes":900,"error":0},{"a":"x","b":"y","protocol":6,"packets":1,"bytes":60,"error":0}]`))
	r.keep(2, 6, []byte(`{"pid":78,"packets":1,"of its own":true}`))

	var got workerReport
	if err := json.Unmarshal(r.all()[5], &got); err != nil {
		t.Fatal(err)
	}
	if got.PID != 77 || got.Mallocs != 40 || got.Connections != 2 || got.Packets != 7 || got.Batches != 4 || got.BytesIn != 200 ||
		got.BytesOut != 20 || got.Refused != 2 || got.Refusal != "why" || len(got.NFs) != 2 {
		t.Fatalf("%+v", got)
	}
	f := got.NFs[0]
	if f.Stage != 1 || f.NF != "ids" || f.Counters["packets"] != 7 || f.Counters["rules_loaded"] != 9 || len(f.Rules) != 1 || f.Rules[0].Packets != 3 || f.Rules[0].Bytes != 10 || f.Rules[0].Line != 3 {
		t.Errorf("%+v", f)
	}
	var top []counter.TopFlow
	if err := json.Unmarshal(f.Top, &top); err != nil || len(top) != 2 || top[0].A != "p" || top[1] != (counter.TopFlow{A: "x", B: "y", Protocol: 6, Packets: 7, Bytes: 660, Error: 1}) {
		t.Errorf("top flows %+v, %v; expected p-q, and x-y added up", top, err)
	}
	if s := string(r.all()[6]); !strings.Contains(s, "of its own") {
		t.Errorf("one report: %s; expected it as it came", s)
	}
	if text := sumTops(json.RawMessage(`{"a":1}`), json.RawMessage(`[2]`)); string(text) != `[{"a":1},[2]]` {
		t.Errorf("tables of another kind: %s", text)
	}
}

// The connections of a worker end one by one. None may leave a report behind, and none may take another's along.
func TestReportsAreForgotten(t *testing.T) {
	r := newReports(2)
	for w := range uint32(1000) {
		r.keep(0, w, []byte(`{"packets":1}`))
		r.keep(1, w, []byte(`{"packets":2}`))
		r.forget(0, w)
		r.keep(1, w, []byte(`{"packets":3}`))
		if s := string(r.all()[w]); s != `{"packets":3}` {
			t.Fatalf("worker %d, lost on one shard: %s", w, s)
		}
		r.forget(1, w)
		if n := len(r.all()); n != 0 {
			t.Fatalf("%d reports of workers that are gone", n)
		}
	}
	// Nobody looks: what was lost goes with the next report.
	for w := range uint32(1000) {
		r.keep(0, w, []byte(`{}`))
		r.forget(0, w)
	}
	if n := len(r.of[0].by); n > 1 {
		t.Errorf("%d reports are kept though nobody looks; expected the last at most", n)
	}
}

// A shard's thread passes a report over rather than wait for a reader, and keeps one without allocating.
func TestReportsDoNotHoldAShardUp(t *testing.T) {
	r := newReports(1)
	r.keep(0, 1, []byte(`{"packets":1}`))
	r.of[0].mu.Lock() // a reader that never ends
	r.keep(0, 1, []byte(`{"packets":2}`))
	r.forget(0, 2)
	r.of[0].mu.Unlock()
	if s := string(r.all()[1]); s != `{"packets":1}` {
		t.Errorf("%s; expected the report before the reader came", s)
	}
	text := []byte(`{"packets":3}`)
	if n := testing.AllocsPerRun(100, func() { r.keep(0, 1, text) }); n != 0 {
		t.Errorf("%v allocations a report", n)
	}
}

// Reports are kept up to a bound, and one that has grown beyond it is no reason to forget the others.
func TestReportsAreBounded(t *testing.T) {
	r := newReports(1)
	long := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
	for w := range uint32(200) {
		r.keep(0, w, long(maxReport))
		r.keep(0, w, long(maxReport+1))
	}
	if n, want := len(r.all()), maxReports/maxReport; n != want || r.of[0].held > maxReports {
		t.Errorf("%d reports of %d bytes are kept, want %d", n, r.of[0].held, want)
	}
	r.forget(0, 0)
	r.keep(0, 777, []byte("{}"))
	if _, ok := r.all()[777]; !ok {
		t.Error("where one has gone there is no room for another")
	}
	r.keep(0, 1, []byte("{}"))
	if r.of[0].held != 2*maxReport+4 {
		t.Errorf("%d bytes are counted", r.of[0].held)
	}
}
