package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Report adds the verdicts, and every rule that has a counter with the line it starts on.
func (f *Firewall) Report(r *nf.Report) {
	if r.Counters == nil {
		r.Counters = map[string]int64{}
	}
	r.Counters["accepted"] = int64(f.verdicts[nf.Pass])
	for _, d := range []nf.Verdict{nf.DropRule, nf.DropPolicy, nf.DropReject, nf.DropInvalid, nf.DropMalformed} {
		r.Counters["dropped_"+d.String()] = int64(f.verdicts[d])
	}
	r.Counters["malformed"] = int64(f.malformed)
	r.Counters["rejects_answered"] = int64(f.answers.sent)
	r.Counters["rejects_unanswered"] = int64(f.answers.refused + f.answers.lost)
	r.Counters["events_suppressed"] = int64(f.events.skipped)
	for i, c := range f.program.counters {
		r.Rules = append(r.Rules, nf.RuleCount{File: c.file, Line: c.line, Packets: f.counts[i].packets, Bytes: f.counts[i].bytes})
	}
}
