package placer

const (
	// memory is how much of what is thought of a load stays when it is measured again.
	memory = 0.75
	// surge is the same for all loads together.
	surge = 1.3
	// jump is how many times what was thought a load has to be to be believed at once: more than what varies from one second to
	// the next. It has to be worth something, too.
	jump  = 2
	worth = 0.01
	// nothing is the load below which a sub-flow that is silent counts as idle.
	nothing = 1e-5
)

// Smooth takes a new measurement of each load into what is thought of it, both in workers' worth.
func Smooth(loads, measured []float64) {
	before, now := 0.0, 0.0
	for i, m := range measured {
		before += loads[i]
		now += m
	}
	surges := now > surge*before && now > worth
	for i, m := range measured {
		switch l := loads[i]; {
		case l == 0 || surges && m > l || m > jump*l && m > worth:
			loads[i] = m
		case m == 0 && l < nothing:
			loads[i] = 0
		default:
			loads[i] = memory*l + (1-memory)*m
		}
	}
}
