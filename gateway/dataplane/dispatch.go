package dataplane

import (
	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

// enqueue puts slot i at the end of its flow's queue of direction dir.
func (s *Shard) enqueue(i uint32, e *flowtable.Entry, dir uint8) {
	if e.Tail[dir] == none {
		e.Head[dir] = i
	} else {
		s.slots.s[e.Tail[dir]].next = i
	}
	e.Tail[dir] = i
	e.InFlight++
}

// dispatch ships slot i to the worker that has its sub-flow in its present stage, or lets it wait.
func (s *Shard) dispatch(i uint32) {
	sl := &s.slots.s[i]
	pool := s.cfg.Chains[sl.chain].First + int(sl.stage)
	id := s.route[pool][sl.sub]
	if id == noConn {
		s.wait(&s.unplaced, i, noConn)
		return
	}
	c := &s.conns[id]
	if c.wait.n > 0 || !s.ship(c, id, i, pool) {
		if c.inflight+c.wait.n == 0 {
			c.progress = s.now // a worker that takes nothing is timed like one that answers nothing
		}
		s.wait(&c.wait, i, id)
	}
}

// ship adds slot i to the connection's batch; false if there is no room.
func (s *Shard) ship(c *conn, id uint16, i uint32, pool int) bool {
	sl := &s.slots.s[i]
	f := &s.slots.frames[i]
	carried := f.Data
	if !s.cfg.Stages[pool].Whole {
		carried = carried[:sl.headers]
	}
	// Some captures say that less was on the wire than they hold.
	onWire := max(int(f.Wire), len(f.Data))
	if onWire > wire.MaxPacket {
		// Longer than the wire format can say: policy decides as if no verdict had come.
		sl.phase = sent
		s.settle(i)
		return true
	}
	if c.takes != nil || !c.mayJoin(sl.deaths, s.cfg.MaxDeaths) || !c.link.Room(len(carried)) {
		return false
	}
	at := f.Time
	if at == 0 {
		at = s.now + s.step
	}
	if c.inflight == 0 {
		c.progress, c.deaths = s.now, sl.deaths
	}
	if !c.dirty {
		c.link.Tick(s.now)
		c.dirty, c.since = true, s.now
		s.dirty = append(s.dirty, id)
	}
	c.inflight++
	c.link.Add(s.slots.ref(i), sl.sub, sl.side == ingress.Outside, onWire, carried, len(carried) == onWire, max(at, 0))
	sl.phase, sl.holder = sent, id
	s.led.BatchPackets++
	return true
}

func (s *Shard) wait(q *queue, i uint32, holder uint16) {
	sl := &s.slots.s[i]
	sl.phase, sl.holder = waiting, holder
	q.push(s.slots, i)
}

// shipWaiting ships what waited for room on c, as far as there is some.
func (s *Shard) shipWaiting(c *conn) {
	for c.wait.n > 0 {
		i := c.wait.head
		c.wait.remove(s.slots, i)
		if !s.ship(c, s.slots.s[i].holder, i, c.pool) {
			s.putBack(c, i)
			return
		}
	}
}

// putBack makes slot i the first to go again.
func (s *Shard) putBack(c *conn, i uint32) {
	sl := &s.slots.s[i]
	sl.before, sl.after = none, c.wait.head
	if c.wait.head == none {
		c.wait.tail = i
	} else {
		s.slots.s[c.wait.head].before = i
	}
	c.wait.head = i
	c.wait.n++
}

// dispatchUnplaced tries everything that waits for a worker once more, in order.
func (s *Shard) dispatchUnplaced() {
	for n := s.unplaced.n; n > 0; n-- {
		i := s.unplaced.head
		s.unplaced.remove(s.slots, i)
		s.dispatch(i)
	}
}

// flush sends the batches that need not wait: all of them unless a port has more to give, and those that waited long enough.
func (s *Shard) flush(more bool) {
	keep := 0
	for _, id := range s.dirty {
		c := &s.conns[id]
		if !c.used || !c.dirty {
			continue
		}
		if more && s.now-c.since < s.cfg.FlushAfter.Nanoseconds() {
			s.dirty[keep] = id
			keep++
			continue
		}
		c.dirty = false
		s.led.Batches++
		if !s.push(c, id) {
			s.lose(c, "")
		}
	}
	s.dirty = s.dirty[:keep]
}

// push writes what the connection has as far as the socket takes it, and waits for writability only while it must; it
// reports false when the connection is broken.
func (s *Shard) push(c *conn, id uint16) bool {
	if c.link.Flush() >= relay.Closed {
		return false
	}
	if w := c.link.WantWrite(); w != c.writes {
		c.writes = w
		s.poller.writes(c.link.FD(), int32(id), w)
	}
	return true
}
