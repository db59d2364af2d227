package coordinator

import (
	"fmt"
	"time"
)

// tell publishes what status shows.
func (c *Coordinator) tell() {
	var list []Worker
	standing, active := make([]int, len(c.pools)), make([]int, len(c.pools))
	subFlows := map[uint32]int{}
	for i := range c.pools {
		for _, id := range c.pools[i].placed {
			subFlows[id]++
		}
	}
	for _, w := range c.sorted() {
		if w.of == c.running && w.state == Standby {
			standing[w.pool]++
		}
		seat := -1
		if w.of == c.running && (w.state == Active || w.state == Draining) {
			seat = active[w.pool]
			active[w.pool]++
		}
		x := Worker{ID: w.id, Seat: seat, Of: w.of.Number, Pool: w.pool, Stage: c.pools[w.pool].name, State: w.state.String(), SubFlows: subFlows[w.id],
			Since: w.invoked, Joined: w.joined, Ends: w.deadline}
		w.load.tell(&x)
		list = append(list, x)
	}
	var reasons, degraded []string
	var stages []Stage
	ready := true
	for i := range c.pools {
		p := &c.pools[i]
		empty := active[i] == 0 && p.active > 0
		ready = ready && active[i] >= p.active
		switch {
		case empty:
			reasons = append(reasons, fmt.Sprintf("stage %s: no worker, %d are wanted", p.name, p.active)+p.why(time.Now()))
		case active[i] < p.active:
			degraded = append(degraded, fmt.Sprintf("stage %s: %d of %d workers", p.name, active[i], p.active))
		}
		if p.stopped != "" {
			why := fmt.Sprintf("stage %s: no workers are started until the gateway is restarted, or a changed configuration rolled out: %s", p.name, p.stopped)
			if empty {
				reasons = append(reasons, why)
			} else {
				degraded = append(degraded, why)
			}
		}
		if n := standing[i]; n < p.standby && active[i] >= p.active {
			degraded = append(degraded, fmt.Sprintf("stage %s: %d of %d workers stand by", p.name, n, p.standby))
		}
		s := Stage{Name: p.name, Min: p.limits.Min, Max: p.limits.Max, Wanted: p.active, Standby: p.standby, Active: active[i], Waiting: p.waiting}
		for _, l := range p.loads {
			s.Load += l
		}
		stages = append(stages, s)
	}
	r := c.failed
	r.Running, r.Since = c.running.Number, c.since
	if c.next != nil {
		r.Rolling = c.next.Number
	}
	c.mu.Lock()
	c.list, c.reasons, c.degraded, c.rollout, c.stages = list, reasons, degraded, r, stages
	c.mu.Unlock()
	if ready && !c.isReady {
		c.isReady = true
		close(c.ready)
	}
}

// why is what the last start came to, and when the next one is.
func (p *pool) why(now time.Time) string {
	if p.cause == "" {
		return ""
	}
	text := "; the last start failed: " + p.cause
	if wait := p.starts.RetryAt().Sub(now); wait > 0 {
		text += fmt.Sprintf("; the next one is in %s", wait.Round(100*time.Millisecond))
	}
	return text
}

// Stage is what status tells of one stage's workers.
type Stage struct {
	Name    string  `json:"stage"`
	Min     int     `json:"min"`
	Max     int     `json:"max"`
	Wanted  int     `json:"wanted"`  // workers that are to have sub-flows
	Standby int     `json:"standby"` // and to stand by
	Active  int     `json:"active"`  // workers that have some
	Load    float64 `json:"load"`    // workers that would be busy all the time with it
	Waiting int     `json:"waiting"` // packets for which there is no worker
}

// Stages returns the stages in their order.
func (c *Coordinator) Stages() []Stage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Stage(nil), c.stages...)
}

// Status returns the workers in the order of their numbers, the counters, and why the gateway is not ready, if it is not.
func (c *Coordinator) Status() (workers []Worker, n Counters, notReady []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Worker(nil), c.list...), c.counters, append([]string(nil), c.reasons...)
}

// Degraded returns what is not as it should be though every stage has a worker.
func (c *Coordinator) Degraded() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.degraded...)
}
