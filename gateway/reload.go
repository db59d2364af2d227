package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/lambdaworker/nf"
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
	reading
}

func newConfiguration(p *plan, dropUnmatched bool) configuration {
	return configuration{taken: []generation{{1, reading{plan: p, dropUnmatched: dropUnmatched}}}}
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

// runReloading runs the appliance, and reloads whenever something comes from hup.
func (a *appliance) runReloading(ctx context.Context, hup <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for {
			select {
			case <-hup:
				a.reload()
			case <-ctx.Done():
				return
			}
		}
	})
	err := a.run(ctx)
	cancel()
	reloading.Wait() // nothing is reopened while things are closed
	return err
}

// reload reopens the event log and reads the configuration again. What is wrong is logged and kept for status, and nothing changes.
func (a *appliance) reload() {
	if err := a.events.Reopen(); err != nil {
		a.log.Error("event log not reopened", "error", err)
	} else {
		a.log.Info("event log reopened")
	}
	if a.cfg.Reread == nil {
		return
	}
	c, rollout := &a.config, a.coord.Rollout()
	running, newest := c.standing(rollout)
	next, err := a.cfg.Reread()
	if err == nil { // it may follow either: the one on its way is dropped for it, if it has not arrived by then
		problems := next.plan.fits(newest.plan)
		if len(problems) == 0 && newest.number != running.number {
			problems = next.plan.fits(running.plan)
		}
		if len(problems) > 0 {
			err = problems
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reloads++
	c.refused = nil
	if err != nil {
		c.failures++
		for _, p := range problemsIn(err) {
			c.refused = append(c.refused, p.String())
			a.log.Error("configuration refused; what runs runs on", "generation", rollout.Running, "file", p.File, "line", p.Line, "column", p.Column, "problem", p.Message)
		}
		return
	}
	c.forgiven, c.waiting = rollout.Failed, next.waiting
	for _, w := range next.waiting {
		a.log.Warn("setting refused until the next start", "setting", w)
	}
	if next.same(newest.reading) {
		a.log.Info("configuration read again; its chains and files are those that run", "generation", newest.number)
		return
	}
	g := generation{c.taken[len(c.taken)-1].number + 1, next}
	c.taken = append(c.taken, g)
	a.coord.Roll(coordinator.Generation{Number: g.number, Start: a.starter(next.plan), Layout: next.plan.layout(next.dropUnmatched)})
}

// same reports whether workers and shards would do the same by both.
func (r reading) same(o reading) bool {
	return r.dropUnmatched == o.dropUnmatched && slices.Equal(r.plan.matches, o.plan.matches) && slices.Equal(r.plan.stages, o.plan.stages) &&
		slices.EqualFunc(r.plan.bundles, o.plan.bundles, func(x, y bundle) bool {
			return bytes.Equal(x.stage, y.stage) && bytes.Equal(x.files, y.files)
		})
}

// fits says why p can't take the place of running without a restart: packets and flows on their way name their chain, stage and
// sub-flow by number.
func (p *plan) fits(running *plan) (all nf.Problems) {
	names := func(p *plan) string {
		var s []string
		for _, c := range p.chains {
			s = append(s, c.Name)
		}
		return strings.Join(s, ", ")
	}
	if a, b := names(p), names(running); a != b {
		at := nf.Problem{File: p.path, Line: 1, Column: 1}
		for i := range p.chains {
			if i >= len(running.chains) || running.chains[i].Name != p.chains[i].Name {
				at = p.places[i].Problem("")
				break
			}
		}
		at.Message = fmt.Sprintf("chains: found %s; expected %s, in this order, which are running: which chains there are can't change at runtime, restart the gateway for it", a, b)
		return nf.Problems{at}
	}
	for i := range p.chains {
		c, r := &p.chains[i], &running.chains[i]
		if c.Stages != r.Stages {
			all = append(all, p.places[i].Problem("chain %s: found %d stages; expected %d, which are running: stages can't be added or taken away at runtime, restart the gateway for it", c.Name, c.Stages, r.Stages))
		}
		if c.Affinity != r.Affinity {
			all = append(all, p.places[i].Problem("chain %s: its functions want %s at one worker; those that are running want %s: that can't change at runtime, restart the gateway for it",
				c.Name, chain.AffinityWords(nf.Affinity(c.Affinity)), chain.AffinityWords(nf.Affinity(r.Affinity))))
		}
		for s := range min(c.Stages, r.Stages) {
			all = append(all, displaced(p.nfs[c.First+s], running.nfs[r.First+s])...)
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
