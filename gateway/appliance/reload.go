package appliance

import (
	"context"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/settings"
)

// Reload reopens the event log and reads the configuration again. What is wrong is logged and kept for status, and nothing changes; nor does it if ctx ends
// before everything has been read.
func (a *Appliance) Reload(ctx context.Context) {
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
	next, err := a.cfg.Reread(ctx)
	if ctx.Err() != nil {
		a.log.Info("reading the configuration was given up, for a later one or for the end")
		return
	}
	if err == nil { // it may follow either: the one on its way is dropped for it, if it has not arrived by then
		problems := fits(next.Plan, newest.Plan)
		if len(problems) == 0 && newest.number != running.number {
			problems = fits(next.Plan, running.Plan)
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
		for _, p := range settings.ProblemsIn(err) {
			c.refused = append(c.refused, p.String())
			a.log.Error("configuration refused; the running one stays", "generation", rollout.Running, "file", p.File, "line", p.Line, "column", p.Column, "problem", p.Message)
		}
		return
	}
	c.forgiven, c.waiting = rollout.Failed, next.Waiting
	for _, w := range next.Waiting {
		a.log.Warn("setting refused until the next start", "setting", w)
	}
	if same(&next, &newest.Reading) {
		a.log.Info("configuration read again; its chains and files are those that run", "generation", newest.number)
		return
	}
	a.warnLeftOut(next.Plan)
	g := generation{c.taken[len(c.taken)-1].number + 1, next}
	c.taken = append(c.taken, g)
	a.coord.Roll(coordinator.Generation{Number: g.number, Start: a.starter(next.Plan), Layout: next.Plan.Layout(next.DropUnmatched), Scale: next.Plan.Scale(a.cfg.Workers.Seats, a.cfg.Workers.Standby)})
}
