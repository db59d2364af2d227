package stream

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// stateVersion is the first byte of an exported session; a change of the layout changes it.
const stateVersion = 2

// A session's bytes: version, phase, flags (2 bytes), other, then both halves: five sequence numbers, nine offsets of 8
// bytes, tsval, wscale, flags (2 bytes), number of segments, each start and end, number of bytes, bytes. Little-endian.
const (
	headState = 8
	halfState = 5*4 + 9*8 + 4 + 1 + 2 + 4
)

// AppendState appends all that is known of flow, waiting bytes included, as versioned bytes to b; nothing if there is no session.
func (t *Tracker) AppendState(flow uint32, b []byte) []byte {
	s := &t.sessions[flow]
	if s.phase == none {
		return b
	}
	le := binary.LittleEndian
	b = append(b, stateVersion, byte(s.phase))
	b = le.AppendUint16(b, flags(s.swapped, s.midstream, s.fastOpen, s.times, s.otherAck))
	b = le.AppendUint32(b, uint32(s.other))
	for d := range s.half {
		h := &s.half[d]
		base, baseOff := h.base, h.baseOff
		if h.buf.Len() == 0 && baseOff > h.app {
			// Past the depth, or ignored, the base runs ahead of what was handed out. Nothing waits there: the place
			// that apply can check means the same.
			base, baseOff = base-seq(baseOff-h.app), h.app
		}
		for _, v := range [...]seq{h.isn, h.next, h.acked, h.right, base} {
			b = le.AppendUint32(b, uint32(v))
		}
		for _, v := range [...]uint64{baseOff, h.app, h.given, h.edge, h.raw, h.breakAt, h.breakTo, h.floor, h.fin} {
			b = le.AppendUint64(b, v)
		}
		b = le.AppendUint32(b, h.tsval)
		b = append(b, h.wscale)
		b = le.AppendUint16(b, flags(h.begun, h.finSeen, h.finAcked, h.ended, h.flushed, h.watch, h.ignored, h.trigger, h.deep))
		n := uint32(0)
		for i := h.first; i != 0; i = t.pool[i-1].next {
			n++
		}
		b = le.AppendUint32(b, n)
		for i := h.first; i != 0; i = t.pool[i-1].next {
			b = le.AppendUint64(b, t.pool[i-1].start)
			b = le.AppendUint64(b, t.pool[i-1].end)
		}
		b = le.AppendUint32(b, uint32(h.buf.Len()))
		b = append(b, t.arena.Bytes(h.buf)...)
	}
	return b
}

// ApplyState replaces what is known of flow by what AppendState wrote. It reports false, and forgets the flow, if state is not
// well-formed or there is no room.
func (t *Tracker) ApplyState(flow uint32, state []byte) bool {
	s := &t.sessions[flow]
	t.reset(s)
	if !t.apply(s, state) {
		t.reset(s)
		return false
	}
	return true
}

func (t *Tracker) apply(s *session, b []byte) bool {
	le := binary.LittleEndian
	if len(b) < headState || b[0] != stateVersion || b[1] == byte(none) || b[1] > byte(closed) {
		return false
	}
	s.phase = phase(b[1])
	unflag(le.Uint16(b[2:]), &s.swapped, &s.midstream, &s.fastOpen, &s.times, &s.otherAck)
	s.other = seq(le.Uint32(b[4:]))
	b = b[headState:]
	for d := range s.half {
		h := &s.half[d]
		if len(b) < halfState+4 {
			return false
		}
		for _, v := range [...]*seq{&h.isn, &h.next, &h.acked, &h.right, &h.base} {
			*v, b = seq(le.Uint32(b)), b[4:]
		}
		for _, v := range [...]*uint64{&h.baseOff, &h.app, &h.given, &h.edge, &h.raw, &h.breakAt, &h.breakTo, &h.floor, &h.fin} {
			*v, b = le.Uint64(b), b[8:]
		}
		h.tsval, h.wscale = le.Uint32(b), min(b[4], 14)
		unflag(le.Uint16(b[5:]), &h.begun, &h.finSeen, &h.finAcked, &h.ended, &h.flushed, &h.watch, &h.ignored, &h.trigger, &h.deep)
		n := le.Uint32(b[7:])
		b = b[11:]
		if uint64(n)*16+4 > uint64(len(b)) {
			return false
		}
		segs := b[:n*16]
		size := le.Uint32(b[n*16:])
		b = b[n*16+4:]
		if size > arena.MaxBlock || uint64(size) > uint64(len(b)) || !h.sound(segs, uint64(size)) {
			return false
		}
		if !t.arena.Append(&h.buf, b[:size]) {
			return false
		}
		b = b[size:]
		for ; len(segs) > 0; segs = segs[16:] {
			if !t.link(h, le.Uint64(segs), le.Uint64(segs[8:])) {
				return false
			}
		}
	}
	return len(b) == 0
}

// sound reports whether h's offsets fit each other, its segments and its buffer of size bytes: what Next and Raw slice by
// without asking.
func (h *half) sound(segs []byte, size uint64) bool {
	const far = 1 << 62
	end := h.baseOff + size
	if h.baseOff > far || h.edge > far || h.app > h.given || h.given > h.edge || h.baseOff > h.app || h.raw > h.edge || h.breakTo > h.app || h.floor > h.app || h.fin > far {
		return false
	}
	if h.edge > h.app && h.edge > end || h.breakAt < h.breakTo && (h.breakAt < h.raw || h.breakAt > end) || h.watch && !h.ignored && h.raw < h.baseOff {
		return false
	}
	le, last := binary.LittleEndian, uint64(0)
	for ; len(segs) > 0; segs = segs[16:] {
		from, to := le.Uint64(segs), le.Uint64(segs[8:])
		if from >= to || from < last || to > end {
			return false
		}
		last = from
	}
	return true
}

func flags(v ...bool) (n uint16) {
	for i, b := range v {
		if b {
			n |= 1 << i
		}
	}
	return n
}

func unflag(n uint16, v ...*bool) {
	for i, b := range v {
		*b = n>>i&1 != 0
	}
}
