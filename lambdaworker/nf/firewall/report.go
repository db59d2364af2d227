package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Report adds the verdicts, and every rule that has a counter with the line it starts on.
func (f *Firewall) Report(r *nf.Report) {
	f.countEvictions()
	if r.Counters == nil {
		r.Counters = map[string]int64{}
	}
	for i, v := range f.stats {
		r.Counters[statNames[i]] = int64(v)
	}
	for i, c := range f.machine.Program.Counters {
		r.Rules = append(r.Rules, nf.RuleCount{File: c.File, Line: c.Line, Packets: f.machine.Counts[i].Packets, Bytes: f.machine.Counts[i].Bytes})
	}
}
