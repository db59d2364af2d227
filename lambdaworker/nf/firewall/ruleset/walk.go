package ruleset

// EachVerdict calls f for every verdict of the chain's rules.
func (c *Chain) EachVerdict(f func(*Verdict)) {
	for _, r := range c.Rules {
		for i := range r.Ops {
			o := &r.Ops[i]
			switch o.Kind {
			case OpVerdict:
				f(&o.Verdict)
			case OpMap:
				for k := range o.Elements {
					f(o.Elements[k].Verdict)
				}
			}
		}
	}
}

// Reached returns the chains that packets of the given base chains can come to.
func Reached(bases []*Chain) map[*Chain]bool {
	seen := map[*Chain]bool{}
	var visit func(c *Chain)
	visit = func(c *Chain) {
		if seen[c] {
			return
		}
		seen[c] = true
		c.EachVerdict(func(v *Verdict) {
			if v.Chain != nil {
				visit(v.Chain)
			}
		})
	}
	for _, c := range bases {
		visit(c)
	}
	return seen
}
