package replica

import "github.com/granule-nf/granule/lambdaworker/state"

const (
	// PartBytes is the most a part of an export has.
	PartBytes = 64 << 10
	// scan is how many records are looked at for a part: what is asked for may be few of many, and the asker has other things to do.
	scan = 4096
)

// Export is what one successor is told, in parts. It may go on over many turns, while other workers' deltas are applied: what it
// tells of are flows of workers that say nothing any more.
type Export struct {
	r      *Replica
	from   []uint32
	to     uint32
	wants  func(key *[6]uint64) bool
	next   uint32 // record to look at next
	delta  uint64 // place of the delta of shared state to look at next
	deltas uint64 // and the one behind the last
	rest   []byte // taken and not in a part yet
	part   []byte
	ready  bool
	more   bool
	entry  state.Entry
}

// Export begins to tell worker to what workers from knew, and of others' flows those that wants wants; never what to itself has told:
// it knows better. from and wants are kept until the export ends.
func (r *Replica) Export(from []uint32, to uint32, wants func(key *[6]uint64) bool) *Export {
	return &Export{r: r, from: from, to: to, wants: wants, delta: r.log.gone, deltas: r.log.end()}
}

// Part returns the part at hand, the same one until Sent, and whether another one follows. A part that another one follows may be
// empty: the call to come finds more.
func (x *Export) Part() (part []byte, more bool) {
	if x.ready {
		return x.part, x.more
	}
	x.rest = x.appendShared(x.rest)
	for end := min(x.next+scan, x.r.top); x.delta >= x.deltas && len(x.rest) < PartBytes && x.next < end; x.next++ {
		rec := &x.r.records[x.next]
		if !rec.used || rec.epoch != x.r.epochs[rec.nf] {
			continue
		}
		if o := x.r.owners[rec.owner].worker; o != x.to && (isOne(x.from, o) || x.wants(&rec.key)) {
			x.rest = x.r.append(x.rest, x.next, &x.entry)
		}
	}
	n := min(len(x.rest), PartBytes)
	x.part = append(x.part[:0], x.rest[:n]...)
	x.rest = x.rest[:copy(x.rest, x.rest[n:])]
	x.ready, x.more = true, len(x.rest) > 0 || x.delta < x.deltas || x.next < x.r.top
	return x.part, x.more
}

// Sent says that the part at hand is on its way.
func (x *Export) Sent() { x.ready = false }
