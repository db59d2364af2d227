package firewall

import (
	"fmt"
)

// A host's rule file has chains for the host's own packets beside those for what it forwards. None of its own packets are
// here, so what those chains ask for may be more than this subset knows: a remark waits until it is known which
// chains packets pass.

// severity is what becomes of a remark.
type severity uint8

const (
	silent severity = iota
	warned
	refused
)

// remark is something of a rule that matters in some chains alone.
type remark struct {
	at            position
	text          string
	running, idle severity // in a chain that packets pass, in one that never runs
	source        bool     // a translation of sources, which nothing here sees
}

// remark notes m about the rule or set that is being read.
func (p *parser) remark(m remark) {
	if p.remarks == nil {
		p.problem(m.at, "%s", m.text)
		return
	}
	*p.remarks = append(*p.remarks, m)
}

// beyond leaves the rule at a construct that nft or iptables know and this subset lacks.
func (p *parser) beyond(at position, format string, a ...any) {
	p.remark(remark{at: at, running: refused, idle: warned, text: fmt.Sprintf(format, a...)})
	panic(bail{})
}

// reached returns the chains that packets of the given base chains can come to.
func reached(bases []*chain) map[*chain]bool {
	seen := map[*chain]bool{}
	var visit func(c *chain)
	visit = func(c *chain) {
		if seen[c] {
			return
		}
		seen[c] = true
		c.eachVerdict(func(v *verdict) {
			if v.chain != nil {
				visit(v.chain)
			}
		})
	}
	for _, c := range bases {
		visit(c)
	}
	return seen
}

// settleRemarks makes problems and warnings of the remarks, now that targets of jumps are known.
func (p *parser) settleRemarks(forward, others []*chain) {
	running, idle := reached(forward), reached(others)
	for _, t := range p.set.tables {
		for _, c := range t.chains {
			for _, r := range c.rules {
				for _, m := range r.remarks {
					p.settle(m, running[c], idle[c])
				}
			}
		}
	}
}

func (p *parser) settle(m remark, running, idle bool) {
	s := m.running
	if !running && (idle || m.idle == silent) {
		s = m.idle
	}
	switch s {
	case refused:
		p.problem(m.at, "%s", m.text)
	case warned:
		if !running {
			m.text += "; its chain never runs here, so nothing is lost"
		}
		p.warn(m.at, "%s", m.text)
	}
}
