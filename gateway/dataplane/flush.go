package dataplane

import "github.com/granule-nf/granule/relay"

// flush sends the batches that need not wait: all of them unless a port has more to give, and those that waited long enough.
func (s *Shard) flush(more bool) {
	keep := 0
	for _, id := range s.conns.dirty {
		c := &s.conns.all[id]
		if !c.used || !c.dirty {
			continue
		}
		if more && s.clock.now-c.batchSince < s.cfg.FlushAfter.Nanoseconds() {
			s.conns.dirty[keep] = id
			keep++
			continue
		}
		c.dirty = false
		s.led.Batches++
		if !s.push(c, id) {
			s.lose(id, "")
		}
	}
	s.conns.dirty = s.conns.dirty[:keep]
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
