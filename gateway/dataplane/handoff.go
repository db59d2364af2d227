package dataplane

import "time"

// A sub-flow is handed off from the worker that has its state (its holder) to the one that the placement assigns it to, without any other
// sub-flow waiting for it:
//
//	steady     its packets go to its holder
//	copying    they still do, while its state is copied to the successor in parts; what the holder changes is copied again
//	draining   they wait, until the holder has answered those it has
//	switched   the last changes are on their way, the waiting packets follow them, the holder is released
//
// A holder that is gone answers nothing: then packets wait from the start, and what it had not answered goes first. A
// successor that goes before it has been switched to was told in vain, and the holder goes on. What a worker says of a
// sub-flow that it is not the holder of is ignored (routes.go), whatever state its hand-off is in.
//
// The states and what may be sent in each are section 5 of relay/wire/SPEC.md; handoff_model_test.go plays them against a
// gateway with one worker that never stops.

const (
	// maxHandoffs is how many sub-flows are on their way at once: enough to fill the window of each successor.
	maxHandoffs = 64
	// importWindow is how many bytes of state a worker may have to apply: packets that are sent to it meanwhile wait for no more.
	importWindow = 32 << 10
	// partBytes is the most that a frame of state has.
	partBytes = 64 << 10
)

// handoff is one sub-flow on its way.
type handoff struct {
	used     bool
	draining bool
	told     bool // the successor has been told something
	last     bool // the last changes are in the queue of its connection
	pool     int
	sub      uint16
	to       uint16 // connection of the successor
	copy     Copy
	copied   int64 // place in the successor's imports at which all had been copied once; 0 until then
	since    int64 // when draining began
}

// handoffs are those of a shard.
type handoffs struct {
	all     [maxHandoffs]handoff
	used    int
	pending int // sub-flows that wait for a place among them
	heirs   []legacy
}

// legacy is the shared state of a worker that has gone, which one of its stage is to have.
type legacy struct {
	worker uint32
	pool   int
	to     uint16 // connection of the heir; noConn until one is found
	rest   Legacy
}

// handOff goes on with what is on its way, once a turn, and reports whether anything got further.
func (s *Shard) handOff() (moved bool) {
	h := &s.handoffs
	if h.used+h.pending+len(h.heirs) == 0 {
		return false
	}
	moved = s.bequeath()
	for i := range h.all {
		if h.all[i].used && s.stepHandoff(&h.all[i]) {
			moved = true
		}
	}
	if h.pending > 0 && s.beginPending() {
		moved = true
	}
	for id := range s.conns.all {
		if c := &s.conns.all[id]; c.used && (len(c.imports) > 0 || len(c.released) > 0) && !s.sendImports(c, uint16(id)) {
			s.lose(uint16(id), "")
		}
	}
	return moved
}

// beginPending begins as many hand-offs as there is room for, those of sub-flows with waiting packets first.
func (s *Shard) beginPending() (moved bool) {
	for _, all := range [...]bool{false, true} {
		for pool := range s.routes {
			r := &s.routes[pool]
			for sub := range r.pending { // not the values: begin may lose a connection, and what was to go there is pending no more
				if !r.pending[sub] || !all && r.waiting[sub].n == 0 {
					continue
				}
				if s.handoffs.used == maxHandoffs {
					return moved
				}
				moved = s.begin(pool, uint16(sub)) || moved
			}
		}
	}
	return moved
}

// begin begins the hand-off of a pending sub-flow, if the successor may be told something now.
func (s *Shard) begin(pool int, sub uint16) bool {
	r, h := &s.routes[pool], &s.handoffs
	to := r.next[sub]
	c := &s.conns.all[to]
	if c.forgetting() || c.importRoom() <= 0 || s.inherits(pool, to) { // its stage's shared state goes first
		return false
	}
	if !s.replica(pool).Knows(sub) && s.conns.of(pool, r.state[sub]) == noConn {
		s.settlePending(pool, sub)
		r.state[sub], r.conn[sub] = c.worker, to
		s.dispatchWaiting(pool, sub)
		return true
	}
	copy := s.replica(pool).Copy(sub)
	if copy == nil {
		return false
	}
	s.settlePending(pool, sub)
	for i := range h.all {
		if x := &h.all[i]; !x.used {
			*x = handoff{used: true, pool: pool, sub: sub, to: to, copy: copy}
			r.handoff[sub] = uint8(i + 1)
			h.used++
			s.stepHandoff(x)
			break
		}
	}
	return true
}

func (s *Shard) settlePending(pool int, sub uint16) {
	s.routes[pool].pending[sub] = false
	s.handoffs.pending--
}

// stepHandoff goes on with one hand-off.
func (s *Shard) stepHandoff(h *handoff) (moved bool) {
	c, r := &s.conns.all[h.to], &s.routes[h.pool]
	for !h.copy.AtEnd() && (h.last || c.importRoom() > 0) {
		before := len(c.imports)
		c.imports = h.copy.Next(c.imports, importWindow/4)
		c.owes(len(c.imports)-before, s.clock.now)
		h.told, moved = true, true
	}
	if !h.copy.AtEnd() {
		return moved
	}
	if h.copied == 0 {
		h.copied = max(c.imported, 1)
	}
	holder := s.conns.of(h.pool, r.state[h.sub])
	switch {
	case h.last:
		s.switchOver(h, holder)
		return true
	case holder == noConn, h.draining && r.held[h.sub] == 0:
		h.last = true
	case h.draining:
		if s.clock.now-h.since < s.drainLimit() {
			return moved
		}
		s.takeBack(h.pool, h.sub, holder) // it is slow: as if it had gone
		r.state[h.sub] = nobody
		s.release(holder, h.sub)
	case c.acked() >= h.copied || c.imported == 0: // so what waits will not wait for the copy to be applied
		h.draining, h.since = true, s.clock.now
		r.conn[h.sub] = noConn
		return s.stepHandoff(h) || true
	default:
		return moved
	}
	return s.stepHandoff(h) || true
}

// drainLimit is how long the packets of a sub-flow wait for its holder at most.
func (s *Shard) drainLimit() int64 {
	return min(s.cfg.WorkerTimeout, 400*time.Millisecond).Nanoseconds() / 4
}

// switchOver makes the successor the holder, when what it has been told is on its way.
func (s *Shard) switchOver(h *handoff, holder uint16) {
	c, r := &s.conns.all[h.to], &s.routes[h.pool]
	if len(c.imports) > 0 {
		if !s.sendImports(c, h.to) {
			s.lose(h.to, "")
			return
		}
		if len(c.imports) > 0 {
			return // the socket is full
		}
	}
	if s.replica(h.pool).Restored(h.sub) && !c.link.Resync() {
		return
	}
	sub, to := h.sub, h.to
	s.led.Handoffs++
	s.endHandoff(h)
	r.state[sub], r.conn[sub] = c.worker, to
	if holder != noConn {
		s.release(holder, sub)
	}
	s.dispatchWaiting(h.pool, sub)
}

// endHandoff gives its place back.
func (s *Shard) endHandoff(h *handoff) {
	h.copy.End()
	s.routes[h.pool].handoff[h.sub] = 0
	h.used = false
	s.handoffs.used--
}

// abandon ends a hand-off without a switch: the holder goes on, if it is there, and the successor forgets what it was told.
func (s *Shard) abandon(h *handoff) {
	r := &s.routes[h.pool]
	s.endHandoff(h)
	s.led.HandoffsFailed++
	if c := &s.conns.all[h.to]; c.used && h.told {
		s.release(h.to, h.sub)
	}
	if h.draining {
		r.conn[h.sub] = s.conns.of(h.pool, r.state[h.sub])
		s.dispatchWaiting(h.pool, h.sub)
	}
}

// release notes that the worker of connection id has sub no more.
func (s *Shard) release(id uint16, sub uint16) {
	c := &s.conns.all[id]
	c.released = append(c.released, sub)
}

// nobody is the holder of a sub-flow whose holder has been released before there was a successor.
const nobody = ^uint32(0)

// takeBack makes what the worker of connection id has of a sub-flow wait for a successor, before what waits already.
func (s *Shard) takeBack(pool int, sub uint16, id uint16) {
	c := &s.conns.all[id]
	orphans := s.conns.orphans[:0]
	c.link.Outstanding(func(ref uint64) {
		if i, ok := s.slots.get(ref); ok && s.slots.s[i].holder == id && s.slots.s[i].sub == sub && s.poolOf(i) == pool {
			orphans = append(orphans, i)
		}
	})
	for _, q := range [...]*queue{&c.suspects, &c.waiting} {
		for i := q.head; i != none; {
			next := s.slots.s[i].after
			if s.slots.s[i].sub == sub {
				q.remove(s.slots, i)
				orphans = append(orphans, i)
			}
			i = next
		}
	}
	s.takenBack(orphans)
	s.led.Replayed += uint64(len(orphans))
	s.conns.orphans = orphans[:0]
}

// takenBack makes slots wait in their sub-flows, in their order and before those that wait already.
func (s *Shard) takenBack(slots []uint32) {
	suspect := uint8(0)
	for n := len(slots) - 1; n >= 0; n-- {
		i := slots[n]
		sl := &s.slots.s[i]
		// Who has met a loss goes before those that have met none: also those that are older than one that has.
		suspect = max(suspect, min(sl.losses, 1))
		sl.losses = max(sl.losses, suspect)
		r := &s.routes[s.poolOf(i)]
		r.held[sl.sub]--
		sl.phase, sl.holder = waiting, noConn
		r.waiting[sl.sub].pushFront(s.slots, i)
		s.unassigned++
	}
}
