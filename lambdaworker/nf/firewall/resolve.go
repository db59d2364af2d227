package firewall

import (
	"slices"
)

// maxDepth is how many chains a packet can be in at once, the base chain among them: the kernel's jump stack.
const maxDepth = 16

// resolve follows jumps: targets by name, loops and depth refused as the kernel refuses them. It returns the base chains
// in the order in which packets meet them.
func (p *parser) resolve() []*chain {
	var bases, others []*chain
	for _, t := range p.set.tables {
		for _, c := range t.chains {
			p.targets(c)
			switch {
			case c.base && c.forward:
				bases = append(bases, c)
			case c.base:
				others = append(others, c)
			}
		}
	}
	p.settleRemarks(bases, others)
	if len(bases) == 0 && len(others) > 0 && others[0].hook.typ == "nat" {
		p.problem(others[0].hook.typPos, "chain %s is of type nat, and no chain sees forwarded packets; expected one with `type filter hook forward priority 0;`", others[0].name)
	}
	for _, c := range others {
		p.elsewhere(c)
	}
	if len(p.problems) > 0 {
		return nil
	}
	depth := map[*chain]int{}
	for _, t := range p.set.tables {
		for _, c := range t.chains {
			if !p.measure(c, depth) {
				return nil
			}
			if c.base && depth[c] > maxDepth {
				p.problem(c.pos, "jumps from chain %s go %d chains deep; expected at most %d", c.name, depth[c], maxDepth)
			}
		}
	}
	// The kernel puts a new hook before those of its own priority: the last declared runs first.
	slices.Reverse(bases)
	slices.SortStableFunc(bases, func(a, b *chain) int { return a.priority - b.priority })
	return bases
}

// eachVerdict calls f for every verdict of the chain's rules.
func (c *chain) eachVerdict(f func(*verdict)) {
	for _, r := range c.rules {
		for i := range r.ops {
			o := &r.ops[i]
			switch o.kind {
			case opVerdict:
				f(&o.verdict)
			case opMap:
				for k := range o.elements {
					f(&o.elements[k].verdict)
				}
			}
		}
	}
}

func (p *parser) targets(c *chain) {
	c.eachVerdict(func(v *verdict) {
		if v.kind != jump && v.kind != gotoChain {
			return
		}
		v.chain = c.table.byName[v.target]
		switch {
		case v.chain == nil:
			p.problem(v.pos, "no chain of table %s is named %q", c.table.name, v.target)
		case v.chain.base:
			p.problem(v.pos, "chain %q has a hook; expected a chain without one", v.target)
		}
	})
}

// measure finds how many chains deep jumps from c go. It reports false, with a problem, where they come back to c.
func (p *parser) measure(c *chain, depth map[*chain]int) bool {
	const running = -1
	if d := depth[c]; d != 0 {
		return d != running
	}
	depth[c] = running
	deepest, ok := 0, true
	c.eachVerdict(func(v *verdict) {
		if v.chain == nil || !ok {
			return
		}
		if depth[v.chain] == running {
			p.problem(v.pos, "this jump from chain %s to %s comes back to where it started; expected chains without loops", c.name, v.target)
			ok = false
			return
		}
		if ok = p.measure(v.chain, depth); ok {
			deepest = max(deepest, depth[v.chain])
		}
	})
	depth[c] = deepest + 1
	return ok
}
