package appliance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/counter"
)

// workerReport is what a worker says of itself and one of its connections, or of all of them in sum.
type workerReport struct {
	PID         int         `json:"pid"`
	Mallocs     uint64      `json:"mallocs"` // heap objects since the process began: of all connections
	Connections int         `json:"connections"`
	Packets     uint64      `json:"packets"`
	Batches     uint64      `json:"batches"`
	BytesIn     uint64      `json:"bytes_in"`
	BytesOut    uint64      `json:"bytes_out"`
	Imported    uint64      `json:"imported"`
	Refused     uint64      `json:"refused"`
	Refusal     string      `json:"refusal,omitempty"`
	NFs         []nfReports `json:"nfs"`
}

// nfReports is nf.Report with the table it may have as it came.
type nfReports struct {
	Chain    string           `json:"chain"`
	Stage    int              `json:"stage"`
	NF       string           `json:"nf"`
	Counters map[string]int64 `json:"counters"`
	Rules    []nf.RuleCount   `json:"rules"`
	Top      json.RawMessage  `json:"top,omitempty"`
	Panic    string           `json:"panic,omitempty"`
}

// sameEverywhere are counters that tell of the configuration, which every connection's pipeline has in whole.
var sameEverywhere = map[string]bool{"rules_loaded": true, "rules_skipped": true, "blocks": true}

// sumReports adds up the reports of one worker's connections. A worker's word is a stranger's: what is no report is passed
// over; a single one stands as it came. It returns nil where none is left.
func sumReports(texts [][]byte) json.RawMessage {
	texts = slices.DeleteFunc(texts, func(text []byte) bool { return !json.Valid(text) })
	switch len(texts) {
	case 0:
		return nil
	case 1:
		return texts[0]
	}
	var total workerReport
	for _, text := range texts {
		var r workerReport
		if json.Unmarshal(text, &r) == nil {
			total.add(&r)
		}
	}
	if total.Connections == 0 {
		return nil
	}
	sum, err := json.Marshal(&total)
	if err != nil {
		return nil
	}
	return sum
}

func (t *workerReport) add(r *workerReport) {
	t.Connections++
	t.PID, t.Mallocs = cmp.Or(t.PID, r.PID), max(t.Mallocs, r.Mallocs)
	t.Packets += r.Packets
	t.Batches += r.Batches
	t.BytesIn += r.BytesIn
	t.BytesOut += r.BytesOut
	t.Imported += r.Imported
	t.Refused += r.Refused
	t.Refusal = cmp.Or(t.Refusal, r.Refusal)
	for i := range r.NFs {
		if i == len(t.NFs) {
			t.NFs = append(t.NFs, r.NFs[i])
		} else {
			t.NFs[i].add(&r.NFs[i]) // pipelines of one stage have the same functions in the same order
		}
	}
}

func (t *nfReports) add(r *nfReports) {
	if t.Counters == nil {
		t.Counters = map[string]int64{}
	}
	for name, n := range r.Counters {
		if sameEverywhere[name] {
			t.Counters[name] = max(t.Counters[name], n)
		} else {
			t.Counters[name] += n
		}
	}
	type rule struct {
		file string
		line int
		id   uint64
	}
	at := map[rule]int{}
	for i, x := range t.Rules {
		at[rule{x.File, x.Line, x.ID}] = i
	}
	for _, x := range r.Rules {
		if i, ok := at[rule{x.File, x.Line, x.ID}]; ok {
			t.Rules[i].Packets += x.Packets
			t.Rules[i].Bytes += x.Bytes
		} else {
			t.Rules = append(t.Rules, x)
		}
	}
	t.Top = sumTops(t.Top, r.Top)
	t.Panic = cmp.Or(t.Panic, r.Panic)
}

// sumTops joins two lists of top flows to one of the longer one's length, most bytes first: a flow stands in both only if its
// fragments went another way. Tables of another kind stand side by side.
func sumTops(a, b json.RawMessage) json.RawMessage {
	if a == nil || b == nil {
		return slices.Concat(a, b)
	}
	one, ok := topFlows(a)
	two, ok2 := topFlows(b)
	if !ok || !ok2 {
		return slices.Concat(json.RawMessage("["), a, json.RawMessage(","), b, json.RawMessage("]"))
	}
	n := max(len(one), len(two))
	for _, f := range two {
		i := slices.IndexFunc(one, func(g counter.TopFlow) bool { return g.A == f.A && g.B == f.B && g.Protocol == f.Protocol })
		if i < 0 {
			one = append(one, f)
			continue
		}
		one[i].Packets += f.Packets
		one[i].Bytes += f.Bytes
		one[i].Error += f.Error
	}
	slices.SortStableFunc(one, func(x, y counter.TopFlow) int { return cmp.Compare(y.Bytes, x.Bytes) })
	text, err := json.Marshal(one[:n])
	if err != nil {
		return a
	}
	return text
}

func topFlows(text json.RawMessage) (flows []counter.TopFlow, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return flows, d.Decode(&flows) == nil
}
