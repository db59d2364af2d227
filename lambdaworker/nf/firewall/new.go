package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// New reads the rules that the options name and compiles them.
func New(s nf.Setup) (nf.NF, error) {
	o, err := readOptions(s.Options)
	if err != nil {
		return nil, err
	}
	prog, problems, warnings := load(o, s.Open)
	if s.Warn != nil {
		for _, w := range warnings {
			s.Warn(w)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	f := &Firewall{program: prog, options: *o, flows: s.Flows, identity: prog.identity()}
	f.counts = make([]count, len(prog.counters))
	for i, c := range prog.counters {
		f.counts[i] = count{c.start.packets, c.start.bytes}
	}
	f.exported = append([]count(nil), f.counts...)
	for _, l := range prog.limits {
		f.limits = append(f.limits, newBucket(l))
	}
	f.limits = append(f.limits, newBucket(&limitSpec{rate: uint64(max(o.LogRate, 1)), period: 1e9, burst: uint64(max(o.LogRate, 1))}))
	flows := 0
	if s.Flows != nil {
		flows = s.Flows.Cap()
	}
	f.cache = make(cache, flows)
	if prog.tracks {
		f.track = newTracker(flows, o)
	}
	return f, nil
}

// load reads and compiles a rule file of any format.
func load(o *options, open func(string) ([]byte, error)) (prog *program, problems, warnings nf.Problems) {
	var p *parser
	switch o.Format {
	case "iptables-save":
		p = parseIPTables(o.Rules, familyIP, open, o.sides())
	case "ip6tables-save":
		p = parseIPTables(o.Rules, familyIP6, open, o.sides())
	case "aws-stateless":
		p = parseAWS(o.Rules, open, o.Policy)
	default:
		p = parseNFT(o.Rules, open, o.sides())
	}
	if len(p.problems) > 0 {
		return nil, p.problems, p.warnings
	}
	bases := p.resolve()
	if len(p.problems) > 0 {
		return nil, p.problems, p.warnings
	}
	if len(bases) == 0 {
		return nil, nf.Problems{{File: o.Rules, Line: 1, Column: 1,
			Message: "no chain sees forwarded packets; expected one with `type filter hook forward priority 0;` (iptables: chain FORWARD)"}}, p.warnings
	}
	return compile(p.set, bases), nil, p.warnings
}
