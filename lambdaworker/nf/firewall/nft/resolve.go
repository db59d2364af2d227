package nft

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Resolve follows jumps: targets by name, loops and depth refused as the kernel refuses them. It returns the base chains
// in the order in which packets meet them.
func (p *Parser) Resolve() []*ruleset.Chain {
	var bases, others []*ruleset.Chain
	for _, t := range p.Ruleset.Tables {
		for _, c := range t.Chains {
			p.targets(c)
			switch {
			case c.Base && c.Forward:
				bases = append(bases, c)
			case c.Base:
				others = append(others, c)
			}
		}
	}
	p.reportDiagnostics(bases, others)
	p.unusedSets()
	if len(bases) == 0 && len(others) > 0 && others[0].Hook.Type == "nat" {
		p.Problem(others[0].Hook.TypePos, "chain %s is of type nat, and no chain sees forwarded packets; expected one with `type filter hook forward priority 0;`", others[0].Name)
	}
	for _, c := range others {
		p.otherHook(c)
	}
	if len(p.Problems) > 0 {
		return nil
	}
	depth := map[*ruleset.Chain]int{}
	for _, t := range p.Ruleset.Tables {
		for _, c := range t.Chains {
			if !p.measure(c, depth) {
				return nil
			}
			if c.Base && depth[c] > ruleset.MaxDepth {
				p.Problem(c.Pos, "jumps from chain %s go %d chains deep; expected at most %d", c.Name, depth[c], ruleset.MaxDepth)
			}
		}
	}
	// The kernel puts a new hook before those of its own priority: the last declared runs first.
	slices.Reverse(bases)
	slices.SortStableFunc(bases, func(a, b *ruleset.Chain) int { return a.Priority - b.Priority })
	return bases
}

func (p *Parser) targets(c *ruleset.Chain) {
	c.EachVerdict(func(v *ruleset.Verdict) {
		if v.Kind != ruleset.Jump && v.Kind != ruleset.Goto {
			return
		}
		v.Chain = c.Table.ByName[v.Target]
		switch {
		case v.Chain == nil:
			p.Problem(v.Pos, "no chain of table %s is named %q", c.Table.Name, v.Target)
		case v.Chain.Base:
			p.Problem(v.Pos, "chain %q has a hook; expected a chain without one", v.Target)
		}
	})
}

// measure finds how many chains deep jumps from c go. It reports false, with a problem, where they come back to c.
func (p *Parser) measure(c *ruleset.Chain, depth map[*ruleset.Chain]int) bool {
	const running = -1
	if d := depth[c]; d != 0 {
		return d != running
	}
	depth[c] = running
	deepest, ok := 0, true
	c.EachVerdict(func(v *ruleset.Verdict) {
		if v.Chain == nil || !ok {
			return
		}
		if depth[v.Chain] == running {
			p.Problem(v.Pos, "this jump from chain %s to %s comes back to where it started; expected chains without loops", c.Name, v.Target)
			ok = false
			return
		}
		if ok = p.measure(v.Chain, depth); ok {
			deepest = max(deepest, depth[v.Chain])
		}
	})
	depth[c] = deepest + 1
	return ok
}
