package capture

// Frames lie in two classes of memory: most fit in a small buffer, of which there are as many as frames may be parked; the
// rare long one takes one of a few that grow to what they are asked for.
const (
	smallSize  = 2048
	largeCount = 256
)

// buffers is memory for parked frames. IDs of the large ones follow those of the small.
type buffers struct {
	small     []byte
	count     int // of small ones
	large     [largeCount][]byte
	freeSmall []uint32
	freeLarge []uint32
}

func newBuffers(count int) *buffers {
	b := &buffers{small: make([]byte, count*smallSize), count: count}
	for id := range count {
		b.freeSmall = append(b.freeSmall, uint32(count-1-id))
	}
	for id := range largeCount {
		b.freeLarge = append(b.freeLarge, uint32(count+largeCount-1-id))
	}
	return b
}

// take returns a buffer of n bytes; false: wait for a release.
func (b *buffers) take(n int) (data []byte, id uint32, ok bool) {
	if n <= smallSize {
		if len(b.freeSmall) == 0 {
			return nil, 0, false
		}
		id, b.freeSmall = pop(b.freeSmall)
		at := int(id) * smallSize
		return b.small[at : at+n : at+smallSize], id, true
	}
	if len(b.freeLarge) == 0 {
		return nil, 0, false
	}
	id, b.freeLarge = pop(b.freeLarge)
	buf := &b.large[int(id)-b.count]
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n], id, true
}

func (b *buffers) give(id uint32) {
	if int(id) < b.count {
		b.freeSmall = append(b.freeSmall, id)
	} else {
		b.freeLarge = append(b.freeLarge, id)
	}
}

func pop(list []uint32) (uint32, []uint32) {
	top := len(list) - 1
	return list[top], list[:top]
}
