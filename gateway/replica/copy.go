package replica

import "github.com/granule-nf/granule/lambdaworker/state"

// Copy is what a successor is told of one sub-flow. Records are read in the order in which they were told last, and one that
// is told again meanwhile goes to the end of that order: so whoever has read to the end has read all that is known, and whoever reads
// on reads what has changed since. What is forgotten meanwhile is said first.
//
// A replica has Copies of them at most; End gives one back.
type Copy struct {
	r     *Replica
	sub   uint16
	used  bool
	next  uint32 // record to read next; none at the end
	gone  []byte // entries of what was forgotten since the last Next
	entry state.Entry
}

// Copies is how many sub-flows of one replica can be copied at once.
const Copies = 256

// PartBytes is the most that Next appends, but for an entry that is longer by itself.
const PartBytes = 64 << 10

// Copy begins a copy of sub-flow sub. It is nil if there are too many, or one of that sub-flow already.
func (r *Replica) Copy(sub uint16) *Copy {
	if r.subs[sub].copy != 0 {
		return nil
	}
	for i := range r.copies {
		if c := &r.copies[i]; !c.used {
			*c = Copy{r: r, sub: sub, used: true, next: r.subs[sub].oldest, gone: c.gone[:0]}
			r.subs[sub].copy = uint16(i + 1)
			return c
		}
	}
	return nil
}

// Knows reports whether anything is known of sub-flow sub.
func (r *Replica) Knows(sub uint16) bool { return r.subs[sub].oldest != none }

// Next appends what comes next, whole entries of up to limit bytes or one that is longer, and moves behind it.
func (c *Copy) Next(dst []byte, limit int) []byte {
	start := len(dst)
	dst = append(dst, c.gone...)
	c.gone = c.gone[:0]
	for c.next != none {
		rec := &c.r.records[c.next]
		if len(dst) > start && len(dst)-start+int(rec.size)+entryHead > limit {
			break
		}
		if rec.epoch == c.r.epochs[rec.nf] {
			dst = c.r.append(dst, c.next, &c.entry)
		}
		c.next = rec.ahead
	}
	return dst
}

// entryHead is the most that an entry takes beside its data.
const entryHead = 8 + 4 + 48 + 8

// AtEnd reports whether nothing is known that has not been read.
func (c *Copy) AtEnd() bool { return c.next == none && len(c.gone) == 0 }

// End gives the copy back.
func (c *Copy) End() {
	c.r.subs[c.sub].copy = 0
	c.used = false
}

// forgotten notes for the copy that is made of e's sub-flow, if there is one, what e says is no more: the heir may have been told of it
// though the replica has given it up since.
func (s *store) forgotten(e *state.Entry) {
	if l := &s.subs[e.Sub]; l.copy != 0 {
		c := &s.copies[l.copy-1]
		c.entry = *e
		c.entry.Data = nil
		c.gone = state.Append(c.gone, &c.entry)
	}
}
