package replica

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// ring holds deltas of shared state, oldest first, each behind its length, its worker and its function.
type ring struct {
	data    []byte
	at      int // where the oldest begins
	used    int
	eraSum  uint32
	scratch [deltaHead]byte
	gone    uint64 // bytes that have been evicted: the oldest stands at this place of all that ever were
	evicted uint64
}

// deltaHead is what stands before each delta: its length u32, its place u64 (bytes of all deltas that ever were before it), its function u8, a
// checksum u32, its worker u32. It stands at its place modulo the ring's size.
const (
	deltaHead   = 21
	deltaSum    = 13
	deltaWorker = 17
)

// share keeps one entry of function nf's shared state as it came.
func (r *Replica) share(worker uint32, nf uint8, entry []byte) {
	l := &r.log
	need := deltaHead + len(entry)
	if need > len(l.data) {
		l.evicted++
		return
	}
	for l.used+need > len(l.data) {
		size, _, _ := l.head(0)
		l.drop(deltaHead + size)
		l.evicted++
	}
	head := &l.scratch // a local would escape
	binary.LittleEndian.PutUint32(head[:], uint32(len(entry)))
	binary.LittleEndian.PutUint64(head[4:], l.end())
	head[12] = nf
	binary.LittleEndian.PutUint32(head[deltaSum:], l.seal(head, entry))
	binary.LittleEndian.PutUint32(head[deltaWorker:], worker)
	l.copyIn(head[:])
	l.copyIn(entry)
}

// head returns the length, the worker and the function of the delta from bytes behind the oldest.
func (l *ring) head(from int) (size int, worker uint32, nf uint8) {
	var head [deltaHead]byte
	l.copyOut(head[:], from)
	return int(binary.LittleEndian.Uint32(head[:])), binary.LittleEndian.Uint32(head[deltaWorker:]), head[12]
}

// seal is the checksum of a delta.
func (l *ring) seal(head *[deltaHead]byte, entry []byte) uint32 {
	return crc32.Update(crc32.Update(l.eraSum, castagnoli, head[:deltaSum]), castagnoli, entry)
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

// Legacy is the shared state that a worker leaves, on its way to the one that inherits it.
type Legacy struct {
	r        *Replica
	from, to uint32
	at, end  uint64
}

// Legacy begins to tell worker to what worker from has told of shared state, with what that one had inherited. From has told its last.
func (r *Replica) Legacy(from, to uint32) Legacy {
	return Legacy{r: r, from: from, to: to, at: r.log.gone, end: r.log.end()}
}

// scan is how many deltas are looked at for a part: what is asked for may be few of many, and the asker has other things to do.
const scan = 4096

// Next appends whole entries of up to limit bytes, or one that is longer, and reports whether more follow. What it has appended belongs to
// the heir: nobody else is told of it.
func (x *Legacy) Next(dst []byte, limit int) (part []byte, more bool) {
	l := &x.r.log
	x.at = max(x.at, l.gone) // the oldest may have been evicted meanwhile
	start := len(dst)
	for n := 0; n < scan && x.at < x.end; n++ {
		from := int(x.at - l.gone)
		size, worker, nf := l.head(from)
		if worker == x.from && x.at >= x.r.since[nf] {
			if len(dst) > start && len(dst)-start+size > limit {
				return dst, true
			}
			at := len(dst)
			dst = slices.Grow(dst, size)[:at+size]
			l.copyOut(dst[at:], from+deltaHead)
		}
		if worker == x.from {
			var name [4]byte
			binary.LittleEndian.PutUint32(name[:], x.to)
			for i, b := range name {
				l.data[(l.at+from+deltaWorker+i)%len(l.data)] = b
			}
		}
		x.at += uint64(deltaHead + size)
	}
	return dst, x.at < x.end
}
