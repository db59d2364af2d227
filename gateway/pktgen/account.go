package pktgen

// window is how far back, in frames of a flow, a sequence number is remembered: a frame that comes later than that is counted as
// reordered, and a second copy of it is not noticed.
const window = 1024

// account is what came of one flow.
type account struct {
	next uint32 // the sequence number that is due, one more than the highest seen
	seen [window / 64]uint64
}

// outcomes are what became of frames, of all flows of an end.
type outcomes struct {
	received   uint64 // each frame once
	reordered  uint64 // frames that a later frame of their flow had overtaken (RFC 4737's Type-P-Reordered)
	duplicated uint64 // further copies
}

func (a *account) bit(seq uint32) (word *uint64, mask uint64) {
	return &a.seen[seq/64%(window/64)], 1 << (seq % 64)
}

func (a *account) take(seq uint32, o *outcomes) {
	ahead := int32(seq - a.next)
	if ahead >= 0 {
		if ahead >= window {
			a.seen = [window / 64]uint64{}
		} else {
			for s := a.next; s != seq; s++ { // skipped: not seen yet
				w, m := a.bit(s)
				*w &^= m
			}
		}
		a.next = seq + 1
	} else {
		if -ahead <= window {
			if w, m := a.bit(seq); *w&m != 0 {
				o.duplicated++
				return
			}
		}
		o.reordered++
	}
	w, m := a.bit(seq)
	*w |= m
	o.received++
}
