package stream

import "bytes"

// maxAhead is how far beyond the contiguous bytes a segment may lie to be kept: a hole costs memory like bytes do.
const maxAhead = 256 << 10

// maxWaiting is how many segments of a direction may wait. Lists are walked; a sender of one-byte segments must not make them long.
const maxWaiting = 1024

// take puts the payload of g, whose first byte has number at, into the stream of h.
func (t *Tracker) take(h *half, at seq, g *Segment, out *Result) {
	data := g.Payload
	end := at + seq(len(data))
	if end.gt(h.next) {
		h.next = end
	}
	if h.ignored || h.deep && h.given >= uint64(t.cfg.Depth) {
		h.follow()
		return
	}
	if len(data) > len(t.scratch) { // no IP datagram but a jumbogram has more
		data = data[:len(t.scratch)]
		t.noRoom(out)
	}
	from := h.offset(at)
	start := from
	to := from + int64(len(data))
	if h.finSeen && to > int64(h.fin) { // nothing comes after a FIN
		data = data[:max(0, int64(len(data))-(to-int64(h.fin)))]
		to = from + int64(len(data))
	}
	if t.cfg.Depth > 0 && to > int64(t.cfg.Depth) {
		if !h.deep {
			h.deep = true
			t.stats.DepthReached++
		}
		out.Events |= DepthReached
		data = data[:max(0, int64(len(data))-(to-int64(t.cfg.Depth)))]
		to = from + int64(len(data))
	}
	if t.cfg.Inline {
		t.agree(h, data, from, out)
	}
	if to <= int64(h.given) {
		if len(data) > 0 {
			out.Events |= Retransmission
		}
		return
	}
	if from < int64(h.given) {
		data = data[int64(h.given)-from:]
		from = int64(h.given)
	}
	if len(data) == 0 {
		return
	}
	t.insert(h, uint64(from), start, data, out)
}

// follow keeps the base near the sender's numbers where no bytes are kept any more: distances beyond 2 GiB would be mistaken.
func (h *half) follow() {
	if o := h.offset(h.next); h.buf.Len() == 0 && o > int64(h.baseOff) {
		h.rebase(uint64(o))
	}
}

// agree rewrites bytes of data, which begins at offset from, that contradict what is kept. Inline the first version has
// perhaps been delivered, and it is what was inspected.
func (t *Tracker) agree(h *half, data []byte, from int64, out *Result) {
	kept := t.arena.Bytes(h.buf)
	for i := h.first; i != 0; i = t.pool[i-1].next {
		g := &t.pool[i-1]
		lo, hi := max(from, int64(g.start), int64(h.baseOff)), min(from+int64(len(data)), int64(g.end))
		if lo >= hi {
			continue
		}
		mine, theirs := kept[lo-int64(h.baseOff):hi-int64(h.baseOff)], data[lo-from:hi-from]
		if !bytes.Equal(mine, theirs) {
			copy(theirs, mine)
			out.Rewritten = true
			out.Events |= OverlapDifferent
		}
	}
}

// insert keeps data at offset from, at or behind h.given, of a segment that began at start.
func (t *Tracker) insert(h *half, from uint64, start int64, data []byte, out *Result) {
	to := from + uint64(len(data))
	if from > h.edge {
		t.stats.OutOfOrder++
		if to-h.edge > maxAhead {
			t.noRoom(out)
			return
		}
	}
	if h.first == 0 && h.buf.Len() == 0 { // nothing waits: the buffer may begin anywhere
		h.rebase(h.edge)
	}
	if size := int(to - h.baseOff); size > h.buf.Len() {
		if size > t.arena.Cap(h.buf) {
			t.slide(h, true)
			size = int(to - h.baseOff)
		}
		if !t.arena.Resize(&h.buf, size) {
			t.noRoom(out)
			return
		}
	}
	buf := t.arena.Bytes(h.buf)
	if h.last != 0 && t.pool[h.last-1].end > from {
		data = t.overlap(h, buf, from, start, data, out)
	}
	copy(buf[from-h.baseOff:], data)
	if !t.link(h, from, to) {
		t.noRoom(out)
		return
	}
	out.Data = true
	t.advance(h)
}

func (t *Tracker) noRoom(out *Result) {
	t.stats.NoMemory++
	out.Events |= NoMemory
}

// overlap returns data with those bytes replaced that waiting segments have and keep: those of segments that do not begin
// behind the new one's start.
func (t *Tracker) overlap(h *half, buf []byte, from uint64, start int64, data []byte, out *Result) []byte {
	to := from + uint64(len(data))
	mixed, met, different := t.scratch[:copy(t.scratch, data)], false, false
	covered := from // up to here data has been compared already
	for i := h.first; i != 0; i = t.pool[i-1].next {
		g := &t.pool[i-1]
		lo, hi := max(from, g.start), min(to, g.end)
		if g.start >= to {
			break
		}
		if lo >= hi {
			continue
		}
		met = true
		old := buf[lo-h.baseOff : hi-h.baseOff]
		if !bytes.Equal(old, data[lo-from:hi-from]) {
			different = true
		}
		covered = max(covered, hi)
		if int64(g.start) <= start {
			copy(mixed[lo-from:], old)
		}
	}
	if met {
		t.stats.Overlaps++
		if covered == to {
			out.Events |= Retransmission
		}
	}
	if different {
		t.stats.Different++
		out.Events |= OverlapDifferent
	}
	return mixed
}

// link notes that [from, to) is there. The list is sorted by start, then end; equal ones are one.
func (t *Tracker) link(h *half, from, to uint64) bool {
	if h.last != 0 {
		if l := &t.pool[h.last-1]; l.end == from && (t.free == 0 || h.waiting >= maxWaiting) {
			l.end = to // no record left: the bytes matter more than where segments began
			return true
		}
	}
	after := uint32(0)
	if h.last != 0 && t.pool[h.last-1].start < from {
		after = h.last
	} else {
		for i := h.first; i != 0; i = t.pool[i-1].next {
			g := &t.pool[i-1]
			if g.start == from && g.end == to {
				return true
			}
			if g.start > from || g.start == from && g.end > to {
				break
			}
			after = i
		}
	}
	if t.free == 0 || h.waiting >= maxWaiting {
		return false
	}
	h.waiting++
	i := t.free
	g := &t.pool[i-1]
	t.free = g.next
	g.start, g.end = from, to
	if after == 0 {
		g.next, h.first = h.first, i
	} else {
		g.next, t.pool[after-1].next = t.pool[after-1].next, i
	}
	if g.next == 0 {
		h.last = i
	}
	return true
}

func (t *Tracker) unlinkFirst(h *half) {
	i := h.first
	g := &t.pool[i-1]
	h.first = g.next
	if h.first == 0 {
		h.last = 0
	}
	g.next, t.free = t.free, i
	h.waiting--
}

// advance moves the contiguous edge over the segments that touch it.
func (t *Tracker) advance(h *half) {
	if h.last != 0 {
		if l := &t.pool[h.last-1]; l.start == h.edge { // in order, the usual case
			h.edge = l.end
			return
		}
	}
	for i := h.first; i != 0; i = t.pool[i-1].next {
		g := &t.pool[i-1]
		if g.start > h.edge {
			return
		}
		h.edge = max(h.edge, g.end)
	}
}

// rebase makes offset to the beginning of the buffer, which holds nothing before it any more.
func (h *half) rebase(to uint64) {
	h.base += seq(to - h.baseOff)
	h.baseOff = to
}

// keepFrom is the offset before which no byte is needed any more.
func (t *Tracker) keepFrom(h *half) uint64 {
	k := h.app
	if h.watch && !h.ignored {
		r := h.raw
		r -= min(r, uint64(t.cfg.History))
		k = min(k, max(r, min(h.floor, h.raw)))
	}
	if t.cfg.Inline { // to be compared with retransmissions
		k = min(k, h.ackedOffset())
	}
	return max(k, h.baseOff)
}

// slide forgets what is not needed. Bytes move only when half of them can go, so that each moves once on the average, or if now is set.
func (t *Tracker) slide(h *half, now bool) {
	if h.buf.Len() == 0 {
		return
	}
	k := t.keepFrom(h)
	for h.first != 0 && t.pool[h.first-1].end <= k {
		t.unlinkFirst(h)
	}
	n := int(k - h.baseOff)
	switch {
	case n >= h.buf.Len():
		t.arena.Free(&h.buf)
	case now || 2*n >= h.buf.Len():
		t.arena.Cut(&h.buf, n)
	default:
		return
	}
	h.rebase(k)
}
