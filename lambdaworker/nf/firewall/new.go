package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/nft"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// New reads the rules that the options name and compiles them.
func New(s nf.Setup) (nf.NF, error) {
	o, err := readOptions(s.Options)
	if err != nil {
		return nil, err
	}
	prog, warnings, err := load(o, nft.Source{Open: s.Open, Glob: s.Glob, Context: s.Context})
	if s.Warn != nil {
		for _, w := range warnings {
			s.Warn(w)
		}
	}
	if err != nil {
		return nil, err
	}
	f := &Firewall{machine: program.Machine{Program: prog}, options: *o, flows: s.Flows, identity: prog.Identity()}
	f.machine.Actions = f
	f.machine.Counts = make([]program.Count, len(prog.Counters))
	for i, c := range prog.Counters {
		f.machine.Counts[i] = program.Count{Packets: c.Start.Packets, Bytes: c.Start.Bytes}
	}
	f.exported = append([]program.Count(nil), f.machine.Counts...)
	for _, l := range prog.Limits {
		f.machine.Limits = append(f.machine.Limits, program.NewBucket(l))
	}
	f.machine.Limits = append(f.machine.Limits, program.NewBucket(&ruleset.Limit{Rate: uint64(max(o.LogRate, 1)), Period: 1e9, Burst: uint64(max(o.LogRate, 1))}))
	flows := 0
	if s.Flows != nil {
		flows = s.Flows.Cap()
	}
	f.cache = make(cache, flows)
	if prog.Tracks {
		f.track = conntrack.NewTracker(flows, o.Timeouts, !o.Strict, o.Liberal)
	}
	return f, nil
}
