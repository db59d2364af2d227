package nft

import (
	"fmt"
	"maps"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// A host's rule file has chains for the host's own packets beside those for what it forwards. None of its own packets are
// here, so what those chains ask for may be more than this subset knows: a diagnostic waits until it is known which
// chains packets pass.

// Diagnose notes m about the rule or set that is being read.
func (p *Parser) Diagnose(m ruleset.Diagnostic) {
	if p.Diagnostics == nil {
		p.Problem(m.Pos, "%s", m.Message)
		return
	}
	*p.Diagnostics = append(*p.Diagnostics, m)
}

// Unsupported leaves the rule at a construct that nft or iptables know and this subset lacks.
func (p *Parser) Unsupported(at ruleset.Pos, format string, a ...any) {
	p.Diagnose(ruleset.Diagnostic{Pos: at, Reached: ruleset.Refuse, Unreached: ruleset.Warn, Message: fmt.Sprintf(format, a...)})
	panic(bail{})
}

// reportDiagnostics makes problems and warnings of the diagnostics, now that targets of jumps are known.
func (p *Parser) reportDiagnostics(forward, others []*ruleset.Chain) {
	running, idle := ruleset.Reached(forward), ruleset.Reached(others)
	for _, t := range p.Ruleset.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				for _, m := range r.Diagnostics {
					p.report(m, running[c], idle[c])
				}
			}
		}
	}
}

// unusedSets warns of sets that are not understood and that no rule uses.
func (p *Parser) unusedSets() {
	for _, t := range p.Ruleset.Tables {
		for _, name := range slices.Sorted(maps.Keys(t.Sets)) {
			if s := t.Sets[name]; !s.Used {
				for _, m := range s.Diagnostics {
					if m.Unreached == ruleset.Warn {
						p.Warn(m.Pos, "%s; no rule uses the set, so nothing is lost", m.Message)
					}
				}
			}
		}
	}
}

func (p *Parser) report(m ruleset.Diagnostic, running, idle bool) {
	s := m.Reached
	if !running && (idle || m.Unreached == ruleset.Silent) {
		s = m.Unreached
	}
	switch s {
	case ruleset.Refuse:
		p.Problem(m.Pos, "%s", m.Message)
	case ruleset.Warn:
		if !running {
			m.Message += "; its chain never runs here, so nothing is lost"
		}
		p.Warn(m.Pos, "%s", m.Message)
	}
}
