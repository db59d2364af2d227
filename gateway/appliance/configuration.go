package appliance

import (
	"fmt"
	"slices"
	"sync"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/settings"
)

// configuration is what the appliance remembers of the readings that were right. Reloads come one at a time; status may ask meanwhile.
type configuration struct {
	mu       sync.Mutex
	taken    []generation // ascending; the first is the one that runs, or older
	refused  []string     // what is wrong with the last reading
	waiting  []string     // settings of the last reading that was right
	forgiven uint64       // a generation that was given up and that a later reading has settled
	reloads  uint64
	failures uint64
}

type generation struct {
	number uint64
	settings.Reading
}

func newConfiguration(p *settings.Plan, dropUnmatched bool) configuration {
	return configuration{taken: []generation{{1, settings.Reading{Plan: p, DropUnmatched: dropUnmatched}}}}
}

// status joins what was read with how far the coordinator has come with it.
func (c *configuration) status(r coordinator.Rollout) console.Configuration {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := console.Configuration{Generation: r.Running, Since: r.Since, Rolling: r.Rolling, Reloads: c.reloads, Failures: c.failures + r.GivenUp,
		Refused: slices.Clone(c.refused), Waiting: slices.Clone(c.waiting)}
	if len(s.Refused) == 0 && r.Failed > c.forgiven {
		s.Refused = []string{fmt.Sprintf("generation %d could not be rolled out: %s", r.Failed, r.Why)}
	}
	return s
}

// standing returns the generation that runs, and the newest: the one on its way to follow it, or else the same.
func (c *configuration) standing(r coordinator.Rollout) (running, newest generation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = slices.DeleteFunc(c.taken, func(g generation) bool { return g.number < r.Running })
	running, newest = c.taken[0], c.taken[len(c.taken)-1]
	if newest.number == r.Failed {
		newest = running
	}
	return running, newest
}
