package dataplane

// importRoom is how many bytes of state may be given to the worker of c now.
func (c *conn) importRoom() int { return importWindow - int(c.imported-c.acked()) }

// acked is how much of its imports the worker is known to have applied.
func (c *conn) acked() int64 { return c.link.LastPong() }

// forgetting reports whether the worker of c may still know, or say something of, sub-flows that it has no more. It is given none until it has
// forgotten those, since what it says of the one could be taken for the other.
func (c *conn) forgetting() bool { return len(c.released) > 0 || c.acked() < c.releasedAt }

// sendImports writes the state that waits for connection c, whose index is id, as far as the socket takes it, and then says which
// sub-flows are released. It reports false when the connection is broken.
func (s *Shard) sendImports(c *conn, id uint16) bool {
	sent := false
	for len(c.imports) > 0 && !c.link.WantWrite() {
		n := min(len(c.imports), partBytes)
		if !c.link.ImportState(c.imports[:n], n < len(c.imports)) {
			break // it is behind: the socket says when
		}
		s.led.ImportedBytes += uint64(n)
		c.imports = c.imports[:copy(c.imports, c.imports[n:])]
		sent = true
		if !s.push(c, id) {
			return false
		}
	}
	if len(c.released) > 0 && len(c.imports) == 0 && c.link.Release(c.released) {
		c.released, sent = c.released[:0], true
		c.owes(1, s.clock.now)
		c.releasedAt = c.imported
	}
	if sent && len(c.imports) == 0 {
		c.link.Ping(c.imported)
	}
	return s.push(c, id)
}

// owes counts n more bytes of state that the worker of c is to apply. One that had nothing to do is timed from now on.
func (c *conn) owes(n int, now int64) {
	if c.awaited() == 0 {
		c.progress = now
	}
	c.imported += int64(n)
}

// awaited is how much the worker of c has to answer or to apply.
func (c *conn) awaited() int {
	return c.inflight + c.waiting.n + c.suspects.n + int(c.imported-c.acked())
}

// checkEmpty says so when a worker that the placement has no use for has no sub-flow any more.
func (s *Shard) checkEmpty(c *conn) {
	if !c.retired || c.empty || c.inflight > 0 {
		return
	}
	for _, holder := range s.routes[c.pool].state {
		if holder == c.worker {
			return
		}
	}
	c.empty = true
	s.hooks.Released(s.id, c.worker)
}

// bequeath gives the shared state of workers that have gone to those that are there, and reports whether it got further.
func (s *Shard) bequeath() (moved bool) {
	h := &s.handoffs
	keep := h.heirs[:0]
	for _, l := range h.heirs {
		if l.to == noConn || !s.conns.all[l.to].used {
			if l.to = s.heirOf(l.pool); l.to == noConn {
				keep = append(keep, l)
				continue
			}
			l.rest = s.replica(l.pool).Legacy(l.worker, s.conns.all[l.to].worker)
		}
		c, more := &s.conns.all[l.to], true
		for more && c.importRoom() > 0 {
			before := len(c.imports)
			c.imports, more = l.rest.Next(c.imports, importWindow/4)
			c.owes(len(c.imports)-before, s.clock.now)
			moved = true
		}
		if more {
			keep = append(keep, l)
		}
	}
	h.heirs = keep
	return moved
}

// heirOf is the connection of a worker of the stage that has sub-flows, or is to have some.
func (s *Shard) heirOf(pool int) uint16 {
	r := &s.routes[pool]
	for sub := range r.conn {
		if r.pending[sub] && r.next[sub] != noConn {
			return r.next[sub]
		}
		if id := r.conn[sub]; id != noConn && !s.conns.all[id].retired {
			return id
		}
	}
	return noConn
}

// inherits reports whether the worker of connection id has yet to be told shared state of its stage.
func (s *Shard) inherits(pool int, id uint16) bool {
	for i := range s.handoffs.heirs {
		if l := &s.handoffs.heirs[i]; l.pool == pool && (l.to == noConn || l.to == id) {
			return true
		}
	}
	return false
}

// behind reports whether the worker of c has something to answer or to apply. It is timed from when it has, and what it has applied since the
// last call is progress.
func (c *conn) behind(now int64) bool {
	if a := c.acked(); a != c.pong {
		c.pong, c.progress = a, now
	}
	if c.awaited() == 0 {
		c.progress = now
		return false
	}
	return true
}
