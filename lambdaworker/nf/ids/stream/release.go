package stream

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// Chunk is a piece of a stream for the parsers: bytes, or a gap, or the end.
type Chunk struct {
	Data   []byte // valid until the tracker is used again; empty for a gap
	Offset uint64 // of Data[0] or of the gap in the direction's stream, from 0
	Gap    uint64 // bytes that were lost, of which Data has nothing
	End    bool   // nothing follows: FIN or RST, or Flush
	Last   bool   // nothing follows Data, as far as is known: the end
	Broken bool   // a gap follows Data
}

// limit is the offset up to which contiguous bytes may be handed out.
func (t *Tracker) limit(h *half) uint64 {
	if t.cfg.Inline || h.flushed {
		return h.edge
	}
	return min(h.edge, h.ackedOffset())
}

// Next fills c with the next piece of a direction that has not been handed out, and reports whether there is one. It is called until there is none.
func (t *Tracker) Next(flow uint32, dir proto.Dir, c *Chunk) bool {
	s := &t.sessions[flow]
	h := &s.half[dir]
	if !h.begun || h.ended || h.ignored {
		return false
	}
	if s.midstream && h.app == 0 && t.limit(h) == 0 {
		// What was acknowledged before the first byte seen here (a keep-alive's) is no gap: the stream begins behind it.
		if n := t.gap(h); n > 0 {
			t.skip(h, n)
			t.stats.Gaps--
			t.stats.GapBytes -= n
		}
	}
	*c = Chunk{Offset: h.app}
	if to := t.limit(h); to > h.app {
		c.Data = t.arena.Bytes(h.buf)[h.app-h.baseOff : to-h.baseOff]
		h.app = to
		if !h.watch {
			h.raw = to
		}
		h.given = max(h.given, to)
		c.Broken = t.gap(h) > 0
		c.Last = !c.Broken && t.atEnd(h)
		return true
	}
	if n := t.gap(h); n > 0 {
		c.Gap = n
		t.skip(h, n)
		return true
	}
	if t.atEnd(h) {
		c.End = true
		h.ended = true
		return true
	}
	t.slide(h, false)
	return false
}

// atEnd reports whether what was handed out is all there will be, but for gaps.
func (t *Tracker) atEnd(h *half) bool {
	return h.finSeen && h.app >= h.fin || h.flushed || h.deep && h.app >= uint64(t.cfg.Depth)
}

// Unread gives the last n bytes of the chunk that Next returned just now back: they come again, with those behind them.
func (t *Tracker) Unread(flow uint32, dir proto.Dir, n int) {
	h := &t.sessions[flow].half[dir]
	h.app -= uint64(n)
	if !h.watch {
		h.raw = h.app
	}
}

// gap returns how many bytes at h.app will never come: the receiver has acknowledged beyond them, or the flow is at its end. An
// acknowledgement of what nobody was seen to send says nothing as long as nothing lies behind: it may be forged, and the bytes be
// on their way.
func (t *Tracker) gap(h *half) uint64 {
	if h.edge > h.app {
		return 0
	}
	to, ahead := h.ackedOffset(), h.acked.gt(h.next)
	if t.cfg.Depth > 0 {
		to = min(to, uint64(t.cfg.Depth))
	}
	if i := h.first; i != 0 {
		// Segments that were handed out already may still be kept.
		for ; i != 0; i = t.pool[i-1].next {
			if g := &t.pool[i-1]; g.start > h.app {
				if h.flushed || to > g.start {
					to, ahead = g.start, false
				}
				break
			}
		}
	}
	if ahead || to <= h.app {
		return 0
	}
	return to - h.app
}

func (t *Tracker) skip(h *half, n uint64) {
	t.stats.Gaps++
	t.stats.GapBytes += n
	at := h.app
	h.app += n
	h.given = max(h.given, h.app)
	h.edge = max(h.edge, h.app)
	t.advance(h)
	switch {
	case !h.watch || h.raw >= at:
		h.raw = h.app
		h.floor = h.app
	case h.breakAt < h.breakTo: // the bytes between two gaps were never asked for
		t.stats.RawMissed += at - h.breakTo
		h.breakTo = h.app
	default:
		h.breakAt, h.breakTo = at, h.app
	}
	if h.buf.Len() < int(h.app-h.baseOff) { // nothing waits behind the gap
		if h.watch && h.raw < at {
			return // raw still wants what is before
		}
		t.slide(h, true)
		if h.buf.Len() == 0 {
			h.rebase(max(h.app, h.baseOff))
		}
	}
}

// Raw returns bytes of the stream for rules on the bare stream, if a look is due: Config.Chunk bytes are there, or a
// trigger, the depth, a gap or the session's end says not to wait; inline, whenever there are fresh ones. data[fresh:] was
// never shown before; data[0] stands at offset in the stream. The caller ends its look with RawDone.
func (t *Tracker) Raw(flow uint32, dir proto.Dir) (data []byte, fresh int, offset uint64, due bool) {
	s := &t.sessions[flow]
	h := &s.half[dir]
	to := t.rawLimit(h)
	if to <= h.raw {
		return nil, 0, 0, false
	}
	if !t.cfg.Inline && !h.trigger && !h.flushed && !h.deep && s.phase != closed && h.breakAt >= h.breakTo && to-h.raw < uint64(t.cfg.Chunk[dir]) {
		return nil, 0, 0, false
	}
	from := max(h.raw-min(h.raw, uint64(t.cfg.History)), min(h.floor, h.raw), h.baseOff)
	buf := t.arena.Bytes(h.buf)
	return buf[from-h.baseOff : to-h.baseOff], int(h.raw - from), from, true
}

func (t *Tracker) rawLimit(h *half) uint64 {
	if !h.watch || h.ignored || !h.begun {
		return 0
	}
	if h.breakAt < h.breakTo {
		return h.breakAt
	}
	return min(t.limit(h), h.baseOff+uint64(h.buf.Len()))
}

// RawDone says that all Raw returned was looked at.
func (t *Tracker) RawDone(flow uint32, dir proto.Dir) {
	h := &t.sessions[flow].half[dir]
	h.trigger = false
	if to := t.rawLimit(h); to > h.raw {
		h.raw = to
	}
	if h.breakAt < h.breakTo && h.raw >= h.breakAt {
		h.raw, h.floor = h.breakTo, h.breakTo
		h.breakAt, h.breakTo = 0, 0
	}
	t.slide(h, false)
	if h.buf.Len() == 0 && h.raw > h.baseOff {
		h.rebase(max(h.raw, h.app))
	}
}

// Trigger makes the next Raw of a direction due, however few bytes there are; parsers' transactions that end want it.
func (t *Tracker) Trigger(flow uint32, dir proto.Dir) { t.sessions[flow].half[dir].trigger = true }

// Watch says whether bytes are kept for Raw. It is on for new sessions if Config.Raw is.
func (t *Tracker) Watch(flow uint32, dir proto.Dir, on bool) {
	h := &t.sessions[flow].half[dir]
	if h.watch = on; !on {
		h.raw, h.floor = h.app, h.app
		h.breakAt, h.breakTo = 0, 0
		t.slide(h, false)
	}
}
