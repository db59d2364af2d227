package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Report adds the verdicts, and every rule that has a counter with the line it starts on.
func (f *Firewall) Report(r *nf.Report) {
	if r.Counters == nil {
		r.Counters = map[string]int64{}
	}
	for i, v := range f.stats {
		r.Counters[statNames[i]] = int64(v)
	}
	for i, c := range f.program.counters {
		r.Rules = append(r.Rules, nf.RuleCount{File: c.file, Line: c.line, Packets: f.counts[i].packets, Bytes: f.counts[i].bytes})
	}
}
