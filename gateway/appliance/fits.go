package appliance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// same reports whether workers and shards would do the same by both readings.
func same(r, o *settings.Reading) bool {
	return r.DropUnmatched == o.DropUnmatched && slices.Equal(r.Plan.Matches, o.Plan.Matches) && slices.Equal(r.Plan.Stages, o.Plan.Stages) &&
		slices.EqualFunc(r.Plan.Bundles, o.Plan.Bundles, func(x, y settings.Bundle) bool {
			return bytes.Equal(x.Stage, y.Stage) && bytes.Equal(x.Files, y.Files)
		})
}

// fits says why p can't take the place of running without a restart: packets and flows on their way name their chain, stage and
// sub-flow by number.
func fits(p, running *settings.Plan) (all nf.Problems) {
	names := func(p *settings.Plan) string {
		var s []string
		for _, c := range p.Chains {
			s = append(s, c.Name)
		}
		return strings.Join(s, ", ")
	}
	if a, b := names(p), names(running); a != b {
		at := nf.Problem{File: p.Path, Line: 1, Column: 1}
		for i := range p.Chains {
			if i >= len(running.Chains) || running.Chains[i].Name != p.Chains[i].Name {
				at = p.Places[i].Problem("")
				break
			}
		}
		at.Message = fmt.Sprintf("chains: found %s; expected %s, in this order, which are running: which chains there are can't change at runtime, restart the gateway for it", a, b)
		return nf.Problems{at}
	}
	for i := range p.Chains {
		c, r := &p.Chains[i], &running.Chains[i]
		if c.Stages != r.Stages {
			all = append(all, p.Places[i].Problem("chain %s: found %d stages; expected %d, which are running: stages can't be added or taken away at runtime, restart the gateway for it", c.Name, c.Stages, r.Stages))
		}
		if c.Affinity != r.Affinity {
			all = append(all, p.Places[i].Problem("chain %s: its functions want %s at one worker; those that are running want %s: that can't change at runtime, restart the gateway for it",
				c.Name, chain.AffinityWords(nf.Affinity(c.Affinity)), chain.AffinityWords(nf.Affinity(r.Affinity))))
		}
		if c.Fixed != r.Fixed {
			all = append(all, p.Places[i].Problem("chain %s: found another order than the one that is running: that can't change at runtime, restart the gateway for it", c.Name))
		}
		for s := range min(c.Stages, r.Stages) {
			all = append(all, displaced(p.Functions[c.First+s], running.Functions[r.First+s])...)
		}
	}
	return all
}

// displaced names functions that stand where others run: what those know of flows is handed to the place, not the name.
func displaced(now, running []nf.BundleNF) (all nf.Problems) {
	for i := range min(len(now), len(running)) {
		if f := &now[i]; f.Name != running[i].Name {
			all = append(all, nf.Problem{File: f.File, Line: f.Line, Column: f.Column, Message: fmt.Sprintf(
				"found %s; expected %s, which is running here: at runtime functions can be added behind a stage's others, or its last taken away; restart the gateway for the rest", f.Name, running[i].Name)})
		}
	}
	return all
}
