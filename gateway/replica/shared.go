package replica

import "encoding/binary"

// ring holds deltas of shared state, oldest first, each behind its length and its owner.
type ring struct {
	data    []byte
	at      int // where the oldest begins
	used    int
	gone    uint64 // bytes that have been evicted: the oldest stands at this place of all that ever were
	evicted uint64
}

// deltaHead is what stands before each delta: its length u32, its owner u16, its function u8.
const deltaHead = 7

// share keeps one entry of function nf's shared state as it came.
func (r *Replica) share(o uint16, nf uint8, entry []byte) {
	l := &r.log
	need := deltaHead + len(entry)
	if need > len(l.data) {
		l.evicted++
		return
	}
	for l.used+need > len(l.data) {
		size, owner, _ := l.head(0)
		l.drop(deltaHead + size)
		l.evicted++
		r.owners[owner].holds--
	}
	var head [deltaHead]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(entry)))
	binary.LittleEndian.PutUint16(head[4:], o)
	head[6] = nf
	l.copyIn(head[:])
	l.copyIn(entry)
	r.owners[o].holds++
}

// head returns the length, the owner and the function of the delta from bytes behind the oldest.
func (l *ring) head(from int) (size int, owner uint16, nf uint8) {
	var head [deltaHead]byte
	l.copyOut(head[:], from)
	return int(binary.LittleEndian.Uint32(head[:])), binary.LittleEndian.Uint16(head[4:]), head[6]
}

// drop takes the oldest n bytes out.
func (l *ring) drop(n int) {
	l.at = (l.at + n) % len(l.data)
	l.used -= n
	l.gone += uint64(n)
}

// end is the place behind the newest delta.
func (l *ring) end() uint64 { return l.gone + uint64(l.used) }

func (l *ring) copyIn(b []byte) {
	at := (l.at + l.used) % len(l.data)
	n := copy(l.data[at:], b)
	copy(l.data, b[n:])
	l.used += len(b)
}

func (l *ring) copyOut(b []byte, from int) {
	at := (l.at + from) % len(l.data)
	n := copy(b, l.data[at:])
	copy(b[n:], l.data)
}

// appendShared appends deltas from place x.delta on, up to PartBytes and one more, and moves x.delta behind them.
func (x *Export) appendShared(dst []byte) []byte {
	l := &x.r.log
	x.delta = max(x.delta, l.gone) // the oldest may have been evicted meanwhile
	for n := 0; n < scan && x.delta < x.deltas && len(dst) < PartBytes; n++ {
		from := int(x.delta - l.gone)
		size, owner, nf := l.head(from)
		if w := x.r.owners[owner].worker; w != x.to && isOne(x.from, w) && x.delta >= x.r.since[nf] {
			start := len(dst)
			dst = append(dst, make([]byte, size)...)
			l.copyOut(dst[start:], from+deltaHead)
		}
		x.delta += uint64(deltaHead + size)
	}
	return dst
}
