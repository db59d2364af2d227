package replica

import "encoding/binary"

// ring holds deltas of shared state, oldest first, each behind its length and its owner.
type ring struct {
	data    []byte
	at      int // where the oldest begins
	used    int
	evicted uint64
}

// deltaHead is what stands before each delta: its length u32, its owner u16.
const deltaHead = 6

// share keeps one entry of shared state as it came.
func (r *Replica) share(o uint16, entry []byte) {
	l := &r.log
	need := deltaHead + len(entry)
	if need > len(l.data) {
		l.evicted++
		return
	}
	for l.used+need > len(l.data) {
		size, owner := l.head(0)
		l.at = (l.at + deltaHead + size) % len(l.data)
		l.used -= deltaHead + size
		l.evicted++
		r.owners[owner].holds--
	}
	var head [deltaHead]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(entry)))
	binary.LittleEndian.PutUint16(head[4:], o)
	l.copyIn(head[:])
	l.copyIn(entry)
	r.owners[o].holds++
}

// head returns the length and the owner of the delta from bytes behind the oldest.
func (l *ring) head(from int) (size int, owner uint16) {
	var head [deltaHead]byte
	l.copyOut(head[:], from)
	return int(binary.LittleEndian.Uint32(head[:])), binary.LittleEndian.Uint16(head[4:])
}

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

// appendShared appends the deltas whose owner is one of those that is says.
func (r *Replica) appendShared(dst []byte, is func(worker uint32) bool) []byte {
	l := &r.log
	for from := 0; from < l.used; {
		size, owner := l.head(from)
		if is(r.owners[owner].worker) {
			start := len(dst)
			dst = append(dst, make([]byte, size)...)
			l.copyOut(dst[start:], from+deltaHead)
		}
		from += deltaHead + size
	}
	return dst
}
