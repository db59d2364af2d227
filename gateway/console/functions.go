package console

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"
)

// FunctionTotal is what a function of a stage counts, in sum over its workers.
type FunctionTotal struct {
	Chain    string
	Stage    int
	NF       string
	Counters map[string]int64
	Rules    map[Rule]RuleTotal // those that something has met
}

// Rule is a rule by its place, and a signature by its number.
type Rule struct {
	File string
	Line int
	ID   uint64
}

// RuleTotal is what has met a rule.
type RuleTotal struct{ Packets, Bytes uint64 }

// reported is what of a worker's report is added up; see nf.Report.
type reported struct {
	NFs []struct {
		Chain    string           `json:"chain"`
		Stage    int              `json:"stage"`
		NF       string           `json:"nf"`
		Counters map[string]int64 `json:"counters"`
		Rules    []struct {
			File    string `json:"file"`
			Line    int    `json:"line"`
			ID      uint64 `json:"id"`
			Packets uint64 `json:"packets"`
			Bytes   uint64 `json:"bytes"`
		} `json:"rules"`
	} `json:"nfs"`
}

// Functions adds up what the workers report, by chain, stage and function. A report that can't be read counts for nothing.
func (s *Status) Functions() []FunctionTotal {
	type key struct {
		chain string
		stage int
		nf    string
	}
	at := map[key]*FunctionTotal{}
	for _, text := range s.Reports {
		var report reported
		if json.Unmarshal(text, &report) != nil {
			continue
		}
		for _, f := range report.NFs {
			k := key{f.Chain, f.Stage, f.NF}
			t := at[k]
			if t == nil {
				t = &FunctionTotal{Chain: f.Chain, Stage: f.Stage, NF: f.NF, Counters: map[string]int64{}, Rules: map[Rule]RuleTotal{}}
				at[k] = t
			}
			for name, n := range f.Counters {
				t.Counters[name] += n
			}
			for _, r := range f.Rules {
				if r.Packets > 0 {
					k := Rule{r.File, r.Line, r.ID}
					t.Rules[k] = RuleTotal{t.Rules[k].Packets + r.Packets, t.Rules[k].Bytes + r.Bytes}
				}
			}
		}
	}
	all := make([]FunctionTotal, 0, len(at))
	for _, t := range at {
		all = append(all, *t)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		if a.Chain != b.Chain {
			return a.Chain < b.Chain
		}
		return a.Stage < b.Stage || a.Stage == b.Stage && a.NF < b.NF
	})
	return all
}

// evictions are the functions' counters of what they gave up for room.
func (s *Status) evictions() map[string]uint64 {
	m := map[string]uint64{}
	for _, f := range s.Functions() {
		for name, n := range f.Counters {
			if strings.Contains(name, "evicted") && n > 0 {
				m[f.NF+" "+name] += uint64(n)
			}
		}
	}
	return m
}

// functionFamilies are the metrics of functions and rules.
func functionFamilies() []metric {
	labels := func(f *FunctionTotal, more ...string) []string {
		return append([]string{f.Chain, strconv.Itoa(f.Stage), f.NF}, more...)
	}
	rule := func(read func(RuleTotal) uint64) func(*Status, func(float64, ...string)) {
		return func(s *Status, emit func(float64, ...string)) {
			for _, f := range s.Functions() {
				for r, n := range f.Rules {
					emit(float64(read(n)), labels(&f, r.File, strconv.Itoa(r.Line), strconv.FormatUint(r.ID, 10))...)
				}
			}
		}
	}
	ofRule := []string{"chain", "stage", "function", "file", "line", "id"}
	return []metric{
		family(gauge, "function_count", "What a function counts, in sum over the workers that there are.", []string{"chain", "stage", "function", "name"}, func(s *Status, emit func(float64, ...string)) {
			for _, f := range s.Functions() {
				for name, n := range f.Counters {
					emit(float64(n), labels(&f, name)...)
				}
			}
		}),
		family(counter, "rule_packets_total", "Packets that have met a rule; rules that none has met are left out.", ofRule, rule(func(t RuleTotal) uint64 { return t.Packets })),
		family(counter, "rule_bytes_total", "Bytes that have met a rule, from the network header on.", ofRule, rule(func(t RuleTotal) uint64 { return t.Bytes })),
	}
}
