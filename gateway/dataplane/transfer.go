package dataplane

import (
	"slices"

	"github.com/granule-nf/granule/ingress/packet"
)

// transfer is the state that a connection's worker is given before packets of the sub-flows that are new to it: until it is complete the
// connection has no room, so what is shipped to it waits in order.
type transfer struct {
	export Export
	from   []uint32 // workers that had it
	subs   [SubFlows]bool
	begun  bool // a part was sent, and the worker waits for the last one
}

// partsPerTurn is how many parts of a transfer are sent in one turn: other connections' packets have their turn, too.
const partsPerTurn = 4

// beginTransfers begins one where sub-flows are assigned to a worker that does not have their state.
func (s *Shard) beginTransfers() {
	for id := range s.conns.all {
		if c := &s.conns.all[id]; c.used && c.transfer == nil && s.replica(c.pool) != nil {
			s.beginTransfer(c, uint16(id))
		}
	}
}

func (s *Shard) beginTransfer(c *conn, id uint16) {
	var t *transfer
	route := &s.routes[c.pool]
	for sub, to := range route.conn {
		had := route.state[sub]
		if to != id || had == c.worker {
			continue
		}
		if had == 0 { // nobody has seen a packet of it
			route.state[sub] = c.worker
			continue
		}
		if t == nil {
			t = &transfer{}
		}
		t.subs[sub] = true
		if !slices.Contains(t.from, had) {
			t.from = append(t.from, had)
		}
	}
	if t == nil {
		return
	}
	// Where an address chooses the sub-flow, its flows can't be told by their keys: all are wanted.
	byFlow := s.cfg.Chains[s.cfg.Stages[c.pool].Chain].Affinity == ByFlow
	t.export = s.replica(c.pool).Export(t.from, c.worker, func(key *[6]uint64) bool {
		return !byFlow || t.subs[s.space.byFlow(s.flows.Hash((*packet.Key)(key)))]
	})
	c.transfer, c.progress = t, s.clock.now
	s.conns.importing++
}

// transferAll goes on with all transfers, once a turn, and reports whether one of them got further.
func (s *Shard) transferAll() (moved bool) {
	for i := range s.conns.all {
		c, id := &s.conns.all[i], uint16(i)
		if !c.used || c.transfer == nil || c.link.WantWrite() {
			continue
		}
		moved = true
		if !s.transferParts(c, id) {
			s.lose(id, "")
		} else if c.transfer == nil {
			s.shipWaiting(c, id)
		}
	}
	return moved
}

// transferParts sends some parts, as far as the socket takes them; it reports false when the connection is broken.
func (s *Shard) transferParts(c *conn, id uint16) bool {
	for n := 0; n < partsPerTurn && c.transfer != nil && !c.link.WantWrite(); n++ {
		t := c.transfer
		part, more := t.export.Part()
		if len(part) > 0 || t.begun && !more {
			if !c.link.ImportState(part, more) {
				break // it is behind: the socket says when
			}
			t.begun = true
			s.led.ImportedBytes += uint64(len(part))
		}
		c.progress = s.clock.now
		t.export.Sent()
		if !more {
			s.endTransfer(c, id)
		}
		if !s.push(c, id) {
			return false
		}
	}
	return s.push(c, id)
}

func (s *Shard) endTransfer(c *conn, id uint16) {
	t, route := c.transfer, &s.routes[c.pool]
	c.transfer = nil
	s.conns.importing--
	s.led.Imports++
	for sub, moved := range t.subs {
		if moved && route.conn[sub] == id {
			route.state[sub] = c.worker
		}
	}
	s.replica(c.pool).Inherit(t.from, c.worker)
	s.beginTransfer(c, id) // what was assigned to it meanwhile
}
