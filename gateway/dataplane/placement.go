package dataplane

import "github.com/granule-nf/granule/gateway/dataplane/classify"

// SubFlows is how many sub-flows a chain's flow space has.
const SubFlows = 4096

// Placement says which worker has which sub-flow. It is never changed once published; the packet path reads one
// pointer. A worker keeps all its sub-flows from one placement to the next, or leaves it: what it had not answered
// is then sent to its successors, which is the same path whether it was retired or died.
type Placement struct {
	Version uint64
	Pools   []Pool  // one a stage, in the order of Config.Stages
	Layout  *Layout // of the configuration that these workers have; nil: that of Config
}

// Layout is what a shard knows of a configuration, and what another one may change under it: the shards adopt it together with its
// workers. Chains, their stages and their affinities stay: slots and flows name them by number.
type Layout struct {
	Stages        []Stage // as many as Config.Stages
	Choose        classify.Chooser
	DropUnmatched bool
}

// Pool is the placement of one stage: the worker of each sub-flow, 0 for none.
type Pool [SubFlows]uint32

const noConn = ^uint16(0)

// MaxWorkers is how many workers a shard is connected to at most, over all stages: those with a seat, those that stand by,
// and for the time of a hand-over their successors.
const MaxWorkers = 256

// conn is a connection and what waits for room on it.
type conn struct {
	link     Link
	worker   uint32
	pool     int
	wait     queue
	used     bool
	writes   bool      // registered for writability
	lies     bool      // gave a verdict that does not exist
	drains   bool      // has announced its end
	retired  bool      // has no place any more: that it is left says nothing about the packets it has
	deaths   uint8     // that each packet in flight has met
	dirty    bool      // has an unsent batch
	since    int64     // when that batch was begun
	inflight int       // packets sent and not answered
	heard    int64     // when it said something, as of the last request for a report
	unheard  int       // requests since then
	progress int64     // when it answered last, or something came for it after nothing
	takes    *takeover // state that it is given before packets
}

// adopt takes over the placement that was published last: workers that are in it no more lose their connection, and
// the packets that they had go to their successors before anything newer of the same sub-flows does.
func (s *Shard) adopt(p *Placement) {
	for i := range s.conns {
		if c := &s.conns[i]; c.used && !p.has(c.pool, c.worker) && s.wasPlaced(c) {
			c.retired = true
			s.lose(c, "no longer placed")
		}
	}
	if l := p.Layout; l != nil {
		s.forget(l.Stages)
		s.cfg.Stages, s.cfg.Choose, s.cfg.DropUnmatched = l.Stages, l.Choose, l.DropUnmatched
	}
	s.placement = p
	s.reroute()
}

// has reports whether worker has a sub-flow in pool.
func (p *Placement) has(pool int, worker uint32) bool {
	if pool >= len(p.Pools) {
		return false
	}
	for _, w := range p.Pools[pool] {
		if w == worker {
			return true
		}
	}
	return false
}

func (s *Shard) wasPlaced(c *conn) bool {
	return s.placement != nil && s.placement.has(c.pool, c.worker)
}

// reroute resolves the placement's workers to this shard's connections, and ships what has waited for one.
//
// It is done between two packets. Workers are numbered as they are started, so the low bits of a number nearly always find its
// connection, without going through all of them for each sub-flow.
func (s *Shard) reroute() {
	var near [MaxWorkers]uint16
	for pool := range s.route {
		for i := range near {
			near[i] = noConn
		}
		for i := range s.conns {
			if c := &s.conns[i]; c.used && c.pool == pool {
				near[c.worker%MaxWorkers] = uint16(i)
			}
		}
		for sub := range s.route[pool] {
			s.route[pool][sub] = noConn
			if s.placement == nil || pool >= len(s.placement.Pools) {
				continue
			}
			w := s.placement.Pools[pool][sub]
			if w == 0 {
				continue
			}
			id := near[w%MaxWorkers]
			if id != noConn && s.conns[id].worker != w {
				id = s.connOf(pool, w)
			}
			s.route[pool][sub] = id
		}
	}
	s.takeOver()
	s.dispatchUnplaced()
}

func (s *Shard) connOf(pool int, worker uint32) uint16 {
	for i := range s.conns {
		if c := &s.conns[i]; c.used && c.worker == worker && c.pool == pool {
			return uint16(i)
		}
	}
	return noConn
}

// lose ends a connection. What it had and did not answer, and what waited for it, waits for a successor, in order.
func (s *Shard) lose(c *conn, why string) {
	id := uint16(0)
	for i := range s.conns {
		if &s.conns[i] == c {
			id = uint16(i)
		}
	}
	s.poller.remove(c.link.FD())
	if c.takes != nil {
		s.taking--
		s.led.ImportsFailed++
	}
	// The sub-flows have no worker from here on, so nothing overtakes the orphans.
	for sub, r := range s.route[c.pool] {
		if r == id {
			s.route[c.pool][sub] = noConn
		}
	}
	orphans := s.scratch[:0]
	c.link.Outstanding(func(ref uint64) {
		if i, ok := s.slots.get(ref); ok {
			orphans = append(orphans, i)
		}
	})
	had := len(orphans)
	for c.wait.n > 0 {
		i := c.wait.head
		c.wait.remove(s.slots, i)
		orphans = append(orphans, i)
	}
	for n, i := range orphans {
		if n < had {
			s.orphan(i, !c.retired)
		} else {
			s.wait(&s.unplaced, i, noConn)
		}
	}
	s.scratch = orphans[:0]
	worker, pool := c.worker, c.pool
	if why == "" {
		why = c.link.Reason().String()
	}
	c.link.Close()
	*c = conn{}
	s.hooks.Lost(s.id, worker, pool, why)
}
