package coordinator

import (
	"fmt"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator/placer"
	"github.com/granule-nf/granule/gateway/dataplane"
)

// Generation is one reading of the configuration: how its workers are started, and what the shards have to know of it. It has the
// pools of the one before.
type Generation struct {
	Number uint64 // above those of all before; the one that New was given is 1
	Start  Start
	Layout *dataplane.Layout        // nil: the one that the shards were made with
	Scale  map[string]placer.Limits // as in Config, from when it runs; nil: that of Config
}

// rollout is a generation whose workers are gathering. The one that runs keeps its workers, standby and replacements, until every
// seat of every pool can be taken; then all seats change hands in one placement, and what the old workers had not answered goes
// to the new ones. So no worker runs two generations, and a generation that can't start changes nothing.
type rollout struct {
	Generation
	by     time.Time       // when it is given up
	starts []placer.Starts // one a pool: those of the running generation must not suffer
}

// rollLimit is how many times the time to join a generation has until all its seats can be taken.
const rollLimit = 4

// Rollout says where the configuration stands.
type Rollout struct {
	Running uint64    // the generation that judges packets
	Since   time.Time // when it got the seats
	Rolling uint64    // the one whose workers are gathering; 0 for none
	Failed  uint64    // the last that was given up, until another gets the seats; 0 for none
	Why     string
	GivenUp uint64 // how many were
}

// Roll brings in the workers of g and gives them the seats when all are there. A generation that was still gathering is let go.
func (c *Coordinator) Roll(g Generation) { c.inbox.post(func() { c.roll(g) }) }

// Rollout returns where the configuration stands.
func (c *Coordinator) Rollout() Rollout {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rollout
}

func (c *Coordinator) roll(g Generation) {
	if c.next != nil {
		c.dismiss(&c.next.Generation, "a newer configuration was read")
	}
	c.next = &rollout{Generation: g, by: time.Now().Add(rollLimit * c.cfg.JoinTimeout), starts: make([]placer.Starts, len(c.pools))}
	for i := range c.next.starts {
		c.next.starts[i] = c.newStarts()
	}
	c.log.Info("configuration is rolled out", "generation", g.Number, "running", c.running.Number)
}

// giveUp lets the next generation go; the running one stays.
func (c *Coordinator) giveUp(why string) {
	g := &c.next.Generation
	c.next = nil
	c.failed = Rollout{Failed: g.Number, Why: why, GivenUp: c.failed.GivenUp + 1}
	c.log.Error("configuration not rolled out; the one before runs on", "generation", g.Number, "running", c.running.Number, "error", why)
	c.dismiss(g, "its configuration was given up")
}

// dismiss retires the workers of g.
func (c *Coordinator) dismiss(g *Generation, why string) {
	for _, w := range c.sorted() {
		if w.of == g && w.state != Gone {
			c.retire(w, why)
		}
	}
}

// turnOver makes the next generation the running one when a worker stands by for each seat. It reports whether it did, and
// who has to leave.
func (c *Coordinator) turnOver(now time.Time) (leaving []*worker, changed bool) {
	if c.next == nil {
		return nil, false
	}
	for i := range c.pools {
		there := 0
		for _, w := range c.workers {
			if w.pool == i && w.of == &c.next.Generation && w.state == Standby {
				there++
			}
		}
		want := max(c.pools[i].active, 1)
		if there < want {
			if now.After(c.next.by) {
				c.giveUp(fmt.Sprintf("stage %s: %d of %d workers joined within %v", c.pools[i].name, there, want, rollLimit*c.cfg.JoinTimeout))
			}
			return nil, false
		}
	}
	c.running, c.since, c.failed = &c.next.Generation, now, Rollout{GivenUp: c.failed.GivenUp}
	for i := range c.pools {
		p := &c.pools[i]
		if c.next.Scale != nil {
			c.cfg.Scale = c.next.Scale
			p.limits = c.cfg.limitsOf(p.name)
		}
		p.starts, p.stopped, p.stale = c.next.starts[i], "", true
	}
	c.next = nil
	for _, w := range c.sorted() {
		if w.of != c.running && w.state != Gone {
			w.state = Leaving
			leaving = append(leaving, w)
		}
	}
	c.log.Info("configuration rolled out", "generation", c.running.Number)
	return leaving, true
}

// startsOf returns what holds back starts of w's pool and generation.
func (c *Coordinator) startsOf(w *worker) *placer.Starts {
	if c.next != nil && w.of == &c.next.Generation {
		return &c.next.starts[w.pool]
	}
	return &c.pools[w.pool].starts
}
