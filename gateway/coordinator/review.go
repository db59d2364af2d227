package coordinator

import (
	"fmt"
	"sort"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator/placer"
	"github.com/granule-nf/granule/gateway/dataplane"
)

// review brings what there is to what there should be: it runs after every event and every tick.
func (c *Coordinator) review() {
	now := time.Now()
	c.expire(now)
	retired, changed := c.turnOver(now)
	for i := range c.pools {
		c.choose(i, now)
	}
	for i := range c.pools {
		changed = c.place(i) || changed
	}
	if changed {
		c.publish()
	}
	for _, w := range retired {
		c.retire(w, "another configuration runs")
	}
	for i := range c.pools {
		c.fill(i, now)
	}
	c.tell()
}

// leaveLimit is how long a worker's sub-flows may take to be handed off before it is disconnected all the same.
const leaveLimit = 10 * time.Second

// expire gives up workers that do not join, or do not get rid of their sub-flows, and has those replaced whose lifetime nears its end.
func (c *Coordinator) expire(now time.Time) {
	for _, w := range c.sorted() {
		if !w.proven && (w.state == Standby || w.state == Active) && w.hasProved(now, c.cfg.BackoffMax) {
			w.proven = true
			c.startsOf(w).Proved()
		}
		switch {
		case w.state == Invoked && now.Sub(w.invoked) > c.cfg.JoinTimeout:
			c.count(func(n *Counters) { n.Late++ })
			c.log.Warn("worker did not join in time", "worker", w.id, "stage", c.pools[w.pool].name, "limit", c.cfg.JoinTimeout)
			c.pools[w.pool].cause = fmt.Sprintf("worker %d had not joined after %s: can it reach the gateway's relay address?", w.id, c.cfg.JoinTimeout)
			c.startsOf(w).Failed(now)
			c.retire(w, "it did not join in time")
		case w.state == Leaving && now.Sub(w.left) > leaveLimit:
			c.retire(w, "its sub-flows could not be handed off in time")
		case (w.state == Active || w.state == Standby) && now.After(w.deadline):
			c.draining(w.id, "its lifetime nears its end")
		}
	}
}

// of returns the workers of pool i and the running generation in these states, those that live longest first.
func (c *Coordinator) of(i int, states ...State) []*worker {
	var ws []*worker
	for _, w := range c.workers {
		for _, s := range states {
			if w.pool == i && w.of == c.running && w.state == s {
				ws = append(ws, w)
			}
		}
	}
	sort.Slice(ws, func(a, b int) bool {
		if !ws[a].deadline.Equal(ws[b].deadline) {
			return ws[a].deadline.After(ws[b].deadline)
		}
		return ws[a].id < ws[b].id
	})
	return ws
}

// choose decides which workers of pool i have sub-flows: as many as it is to have, of those that there are. One that drains goes on until
// another can have its place.
func (c *Coordinator) choose(i int, now time.Time) {
	p := &c.pools[i]
	active, draining := c.of(i, Active), c.of(i, Draining)
	for _, w := range c.of(i, Standby) {
		if len(active) >= p.active {
			break
		}
		w.state, w.active = Active, true
		active = append(active, w)
		p.stale = true
		if p.had {
			c.count(func(n *Counters) { n.HandOffs++ })
		}
		c.log.Info("worker active", "worker", w.id, "stage", p.name)
	}
	p.had = p.had || p.active > 0 && len(active) >= p.active
	for len(active) > p.active { // those that end first
		w := active[len(active)-1]
		active = active[:len(active)-1]
		c.leave(w, now, "its stage has more workers than it needs")
	}
	for n := len(draining); n > 0 && len(active)+n > p.active; n-- { // those that end first
		c.leave(draining[n-1], now, "another has its place")
	}
}

// leave has the sub-flows of w handed off.
func (c *Coordinator) leave(w *worker, now time.Time, why string) {
	c.log.Info("worker leaving", "worker", w.id, "stage", c.pools[w.pool].name, "reason", why)
	w.state, w.left = Leaving, now
	c.pools[w.pool].stale = true
}

// place places the sub-flows of pool i, if something has changed, and reports whether any has another worker than before.
func (c *Coordinator) place(i int) bool {
	p := &c.pools[i]
	if !p.stale {
		return false
	}
	p.stale = false
	problem := placer.Problem{Loads: p.loads, Present: p.placed, Target: c.cfg.Target}
	for _, w := range c.of(i, Active, Draining) {
		problem.Workers = append(problem.Workers, placer.Worker{ID: w.id, Capacity: w.load.share(), Deadline: w.deadline.UnixNano()})
	}
	placed := make([]uint32, len(p.placed))
	placer.Place(&problem, placed)
	changed := false
	for sub := range placed {
		changed = changed || placed[sub] != p.placed[sub]
	}
	p.placed = placed
	return changed
}

// publish tells the shards who has what.
func (c *Coordinator) publish() {
	c.version++
	pl := &dataplane.Placement{Version: c.version, Pools: make([]dataplane.Pool, len(c.pools)), Layout: c.running.Layout}
	for i := range c.pools {
		copy(pl.Pools[i][:], c.pools[i].placed)
	}
	c.shards.Place(pl)
}

// fill starts as many workers as pool i lacks: of the running generation those that it is to have and standby, of the next one those that it
// is to have.
func (c *Coordinator) fill(i int, now time.Time) {
	p := &c.pools[i]
	if p.stopped == "" {
		c.invoke(i, c.running, p.active+p.standby, &p.starts, now)
	}
	if c.next != nil {
		c.invoke(i, &c.next.Generation, max(p.active, 1), &c.next.starts[i], now)
	}
	c.spare(i, now)
}

// spare lets workers go that stand by and are more than that takes, those that end first.
func (c *Coordinator) spare(i int, now time.Time) {
	p := &c.pools[i]
	there := c.of(i, Standby, Active)
	standby := c.of(i, Standby)
	for n := len(there) - p.active - p.standby; n > 0 && len(standby) > 0; n-- {
		w := standby[len(standby)-1]
		standby = standby[:len(standby)-1]
		c.retire(w, "its stage has more workers than it needs")
	}
}

// invoke starts workers of g for pool i until there are want.
func (c *Coordinator) invoke(i int, g *Generation, want int, starts *placer.Starts, now time.Time) {
	have := 0
	for _, w := range c.workers {
		if w.pool == i && w.of == g && (w.state == Invoked || w.state == Standby || w.state == Active) {
			have++
		}
	}
	if have >= want {
		starts.Unneeded()
		return
	}
	n := starts.Allowed(now, want-have)
	starts.Started(n)
	for range n {
		c.nextID++
		id := c.nextID
		c.workers[id] = &worker{id: id, of: g, pool: i, invoked: now, deadline: now.Add(c.life(id))}
		c.count(func(n *Counters) { n.Invoked++ })
		c.wg.Go(func() {
			err := g.Start(c.ctx, id, i)
			c.inbox.post(func() { c.returned(id, err) })
		})
	}
}

// life is after how long a worker is replaced: 80 to 87 % of the platform's limit, spread by its number so that workers
// started together do not end together (12 to 13 of 15 minutes).
func (c *Coordinator) life(id uint32) time.Duration {
	return c.cfg.Lifetime*80/100 + c.cfg.Lifetime*time.Duration(id*5%8)/100
}

func (c *Coordinator) sorted() []*worker {
	ws := make([]*worker, 0, len(c.workers))
	for _, w := range c.workers {
		ws = append(ws, w)
	}
	sort.Slice(ws, func(i, j int) bool { return ws[i].id < ws[j].id })
	return ws
}
