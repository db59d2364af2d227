package dataplane

import (
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

// Replica is what the workers of one stage know, as this shard has been told. It is used by the shard's thread alone.
type Replica interface {
	// Apply takes in what worker told, before the packets it speaks of leave.
	Apply(worker uint32, delta []byte)
	// Export begins to tell worker to what workers from knew, and of others' flows those that wants wants.
	Export(from []uint32, to uint32, wants func(key *[6]uint64) bool) Export
	// Inherit says that worker to has been told what workers from knew.
	Inherit(from []uint32, to uint32)
	// Forget empties it: the functions have changed.
	Forget()
	// Keep says that the stage has n functions from now on: it forgets what it knows of others.
	Keep(n int)
	// Stats returns how many entries it has and of how many bytes, how many it gave up for room, and how many deltas were damaged.
	Stats() (entries, bytes, evicted, damaged uint64)
}

// Export is what one successor is told, in parts.
type Export interface {
	// Part returns the part at hand, the same one until Sent, and whether another one follows. It may be empty.
	Part() (part []byte, more bool)
	Sent()
}

// takeover is a connection's import: until it is complete the connection has no room, so what is shipped to it waits in order.
type takeover struct {
	export Export
	from   []uint32
	subs   [SubFlows]bool
	told   bool // a part was sent, and the worker waits for the last one
}

// partsATurn is how many parts of an import are sent in one turn: other connections' packets have their turn, too.
const partsATurn = 4

func (s *Shard) replica(pool int) Replica {
	if pool < len(s.cfg.Replicas) {
		return s.cfg.Replicas[pool]
	}
	return nil
}

// takeOver begins imports where sub-flows are routed to a worker that does not have their state.
func (s *Shard) takeOver() {
	for id := range s.conns {
		if c := &s.conns[id]; c.used && c.takes == nil && s.replica(c.pool) != nil {
			s.beginTakeover(c, uint16(id))
		}
	}
}

func (s *Shard) beginTakeover(c *conn, id uint16) {
	var t *takeover
	held := &s.held[c.pool]
	for sub, r := range s.route[c.pool] {
		had := held[sub]
		if r != id || had == c.worker {
			continue
		}
		if had == 0 { // nobody has seen a packet of it
			held[sub] = c.worker
			continue
		}
		if t == nil {
			t = &takeover{}
		}
		t.subs[sub] = true
		if !t.isFrom(had) {
			t.from = append(t.from, had)
		}
	}
	if t == nil {
		return
	}
	// Where an address chooses the sub-flow, its flows can't be told by their keys: all are wanted.
	byFlow := s.cfg.Chains[s.cfg.Stages[c.pool].Chain].Affinity == ByFlow
	t.export = s.replica(c.pool).Export(t.from, c.worker, func(key *[6]uint64) bool {
		return !byFlow || t.subs[s.byFlow((*packet.Key)(key))]
	})
	c.takes, c.progress = t, s.now
	s.taking++
}

func (t *takeover) isFrom(worker uint32) bool {
	for _, w := range t.from {
		if w == worker {
			return true
		}
	}
	return false
}

// importAll goes on with all imports, once a turn, and reports whether one of them got further.
func (s *Shard) importAll() (moved bool) {
	for id := range s.conns {
		c := &s.conns[id]
		if !c.used || c.takes == nil || c.link.WantWrite() {
			continue
		}
		moved = true
		if !s.importOn(c, uint16(id)) {
			s.lose(c, "")
		} else if c.takes == nil {
			s.shipWaiting(c)
		}
	}
	return moved
}

// importOn sends some parts, as far as the socket takes them; it reports false when the connection is broken.
func (s *Shard) importOn(c *conn, id uint16) bool {
	for n := 0; n < partsATurn && c.takes != nil && !c.link.WantWrite(); n++ {
		t := c.takes
		part, more := t.export.Part()
		if len(part) > 0 || t.told && !more {
			if !c.link.ImportState(part, more) {
				break // it is behind: the socket says when
			}
			t.told = true
			s.led.ImportedBytes += uint64(len(part))
		}
		c.progress = s.now
		t.export.Sent()
		if !more {
			s.endTakeover(c, id)
		}
		if !s.push(c, id) {
			return false
		}
	}
	return s.push(c, id)
}

func (s *Shard) endTakeover(c *conn, id uint16) {
	t := c.takes
	c.takes = nil
	s.taking--
	s.led.Imports++
	for sub, took := range t.subs {
		if took && s.route[c.pool][sub] == id {
			s.held[c.pool][sub] = c.worker
		}
	}
	s.replica(c.pool).Inherit(t.from, c.worker)
	s.beginTakeover(c, id) // what was routed to it meanwhile
}

// forget takes out of the replicas what a layout has no use for: all where a stage's functions are others, or in another order, and of
// functions taken away. State names its function by its place, where another one may stand some day.
func (s *Shard) forget(next []Stage) {
	for pool := range next {
		r := s.replica(pool)
		if r == nil || pool >= len(s.cfg.Stages) || s.cfg.Stages[pool].Functions == next[pool].Functions {
			continue
		}
		if !goesOn(s.cfg.Stages[pool].Functions, next[pool].Functions) {
			r.Forget()
			s.held[pool] = [SubFlows]uint32{}
		}
		r.Keep(strings.Count(next[pool].Functions, ", ") + 1)
	}
}

// goesOn reports whether the functions of two layouts are the same as far as both have some.
func goesOn(a, b string) bool {
	return strings.HasPrefix(a+", ", b+", ") || strings.HasPrefix(b+", ", a+", ")
}

// countReplicas copies the replicas' counters into the ledger.
func (s *Shard) countReplicas() {
	l := &s.led
	l.ReplicaEntries, l.ReplicaBytes, l.ReplicaEvicted, l.ReplicaDamaged = 0, 0, 0, 0
	for _, r := range s.cfg.Replicas {
		if r != nil {
			entries, bytes, evicted, damaged := r.Stats()
			l.ReplicaEntries += entries
			l.ReplicaBytes += bytes
			l.ReplicaEvicted += evicted
			l.ReplicaDamaged += damaged
		}
	}
}
