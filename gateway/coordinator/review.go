package coordinator

import (
	"fmt"
	"sort"
	"time"

	"github.com/granule-nf/granule/gateway/dataplane"
)

// review brings what there is to what there should be: it runs after every event and every tick.
func (c *Coordinator) review() {
	now := time.Now()
	c.expire(now)
	leaving, changed := c.turnOver(now)
	for i := range c.pools {
		gone, any := c.seat(i)
		leaving, changed = append(leaving, gone...), changed || any
	}
	if changed {
		c.publish()
	}
	for _, w := range leaving { // a shard that adopts a placement ends its connection; one that skipped its placement does not
		c.retire(w, "another is assigned in its place")
	}
	for i := range c.pools {
		c.fill(i, now)
	}
	c.tell()
}

// expire gives up workers that do not join, and has those replaced whose lifetime nears its end.
func (c *Coordinator) expire(now time.Time) {
	for _, w := range c.sorted() {
		if !w.proven && (w.state == Standby || w.state == Active) && now.Sub(w.joined) > c.cfg.BackoffMax {
			w.proven = true
			c.startsOf(w).fails = 0
		}
		switch {
		case w.state == Invoked && now.Sub(w.invoked) > c.cfg.JoinTimeout:
			c.count(func(n *Counters) { n.Late++ })
			c.log.Warn("worker did not join in time", "worker", w.id, "stage", c.pools[w.pool].name, "limit", c.cfg.JoinTimeout)
			c.backOff(c.startsOf(w))
			c.retire(w, "it did not join in time")
		case (w.state == Active || w.state == Standby) && now.After(w.deadline):
			c.draining(w.id, "its lifetime nears its end")
		}
	}
}

// seat gives empty seats, and seats of workers that drain, to workers standing by. It reports whether any changed, and
// who has lost one.
func (c *Coordinator) seat(i int) (leaving []*worker, changed bool) {
	p := &c.pools[i]
	for s, id := range p.seats {
		old := c.workers[id]
		if old != nil && old.state == Active {
			continue
		}
		next := c.standby(i)
		if next == nil {
			return leaving, changed
		}
		p.seats[s] = next.id
		next.state, next.seat = Active, s
		changed = true
		if old != nil { // it drains
			old.seat = -1
			leaving = append(leaving, old)
		}
		if p.taken[s] {
			c.count(func(n *Counters) { n.HandOffs++ })
		}
		p.taken[s] = true
		c.log.Info("worker assigned", "worker", next.id, "stage", p.name, "assignment", s)
	}
	return leaving, changed
}

// standby returns the worker of pool i and the running generation that has stood by longest.
func (c *Coordinator) standby(i int) *worker {
	var best *worker
	for _, w := range c.workers {
		if w.pool == i && w.of == c.running && w.state == Standby && (best == nil || w.id < best.id) {
			best = w
		}
	}
	return best
}

// publish tells the shards who sits where.
func (c *Coordinator) publish() {
	c.version++
	pl := &dataplane.Placement{Version: c.version, Pools: make([]dataplane.Pool, len(c.pools)), Layout: c.running.Layout}
	full := true
	for i := range c.pools {
		for sub := range pl.Pools[i] {
			pl.Pools[i][sub] = c.pools[i].seats[sub%len(c.pools[i].seats)]
		}
		for _, id := range c.pools[i].seats {
			full = full && id != 0
		}
	}
	c.shards.Place(pl)
	if full && !c.isReady {
		c.isReady = true
		close(c.ready)
	}
}

// fill starts as many workers as pool i lacks: of the running generation seats and standby, of the next one seats.
func (c *Coordinator) fill(i int, now time.Time) {
	p := &c.pools[i]
	if p.stopped == "" {
		c.invoke(i, c.running, c.cfg.Seats+c.cfg.Standby, &p.starts, now)
	}
	if c.next != nil {
		c.invoke(i, &c.next.Generation, c.cfg.Seats, &c.next.starts[i], now)
	}
}

// invoke starts workers of g for pool i until there are want.
func (c *Coordinator) invoke(i int, g *Generation, want int, starts *backOff, now time.Time) {
	if now.Before(starts.retryAt) {
		return
	}
	have := 0
	for _, w := range c.workers {
		if w.pool == i && w.of == g && (w.state == Invoked || w.state == Standby || w.state == Active) {
			have++
		}
	}
	for ; have < want; have++ {
		c.nextID++
		id := c.nextID
		c.workers[id] = &worker{id: id, of: g, pool: i, seat: -1, invoked: now, deadline: now.Add(c.life(id))}
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

// tell publishes what status shows.
func (c *Coordinator) tell() {
	var list []Worker
	standing := make([]int, len(c.pools))
	for _, w := range c.sorted() {
		if w.state == Standby && w.of == c.running {
			standing[w.pool]++
		}
		list = append(list, Worker{ID: w.id, Of: w.of.Number, Pool: w.pool, Stage: c.pools[w.pool].name, State: w.state.String(), Seat: w.seat,
			Since: w.invoked, Joined: w.joined, Ends: w.deadline})
	}
	var reasons, degraded []string
	for i := range c.pools {
		p := &c.pools[i]
		empty := 0
		for _, id := range p.seats {
			if id == 0 {
				empty++
			}
		}
		if empty > 0 {
			reasons = append(reasons, fmt.Sprintf("stage %s: %d of %d assignments have no worker", p.name, empty, len(p.seats)))
		}
		if p.stopped != "" {
			why := fmt.Sprintf("stage %s: no workers are started until the gateway is restarted, or a changed configuration rolled out: %s", p.name, p.stopped)
			if empty > 0 {
				reasons = append(reasons, why)
			} else {
				degraded = append(degraded, why)
			}
		}
		if n := standing[i]; n < c.cfg.Standby && empty == 0 {
			degraded = append(degraded, fmt.Sprintf("stage %s: %d of %d workers stand by", p.name, n, c.cfg.Standby))
		}
	}
	r := c.failed
	r.Running, r.Since = c.running.Number, c.since
	if c.next != nil {
		r.Rolling = c.next.Number
	}
	c.mu.Lock()
	c.list, c.reasons, c.degraded, c.rollout = list, reasons, degraded, r
	c.mu.Unlock()
}

// Status returns the workers in the order of their numbers, the counters, and why the gateway is not ready, if it is not.
func (c *Coordinator) Status() (workers []Worker, n Counters, notReady []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Worker(nil), c.list...), c.counters, append([]string(nil), c.reasons...)
}

// Degraded returns what is not as it should be though every seat has a worker.
func (c *Coordinator) Degraded() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.degraded...)
}
