package replica

import "encoding/binary"

// owner is a worker that told something, or the one that took over from it. Entries name it by its index, so that taking over
// is one store however much there is.
type owner struct {
	worker uint32
	holds  int // records and deltas that name it; nobody needs one of none
}

// maxOwners is how many indices there may be before those of one worker are made one.
const maxOwners = 1024

func (r *Replica) ownerOf(worker uint32) uint16 {
	if o := r.last; int(o) < len(r.owners) && r.owners[o].worker == worker {
		return o
	}
	unused := -1
	for i := range r.owners {
		if r.owners[i].worker == worker {
			r.last = uint16(i)
			return r.last
		}
		if r.owners[i].holds == 0 {
			unused = i
		}
	}
	if unused < 0 && len(r.owners) >= maxOwners {
		r.merge()
		if len(r.owners) >= 1<<16-1 { // so many workers that all told something and have no successor: there are not
			return 0
		}
	}
	if unused < 0 {
		unused = len(r.owners)
		r.owners = append(r.owners, owner{})
	}
	r.owners[unused] = owner{worker: worker}
	r.last = uint16(unused)
	return r.last
}

// Inherit says that worker to has been told what workers from knew: it is its own from here on.
func (r *Replica) Inherit(from []uint32, to uint32) {
	for i := range r.owners {
		if isOne(from, r.owners[i].worker) {
			r.owners[i].worker = to
		}
	}
}

// merge makes all indices of a worker one. Each hand-over leaves one more for as long as there are flows that were quiet since.
func (r *Replica) merge() {
	first := map[uint32]uint16{}
	var kept []owner
	to := make([]uint16, len(r.owners))
	for i := range r.owners {
		o, ok := first[r.owners[i].worker]
		if !ok {
			o = uint16(len(kept))
			first[r.owners[i].worker] = o
			kept = append(kept, owner{worker: r.owners[i].worker})
		}
		kept[o].holds += r.owners[i].holds
		to[i] = o
	}
	for i := range r.records[:r.top] {
		if rec := &r.records[i]; rec.used {
			rec.owner = to[rec.owner]
		}
	}
	for from := 0; from < r.log.used; {
		size, o, _ := r.log.head(from)
		var name [2]byte
		binary.LittleEndian.PutUint16(name[:], to[o])
		for i, b := range name {
			r.log.data[(r.log.at+from+4+i)%len(r.log.data)] = b
		}
		from += deltaHead + size
	}
	r.owners = append(r.owners[:0], kept...)
}

func isOne(workers []uint32, worker uint32) bool {
	for _, w := range workers {
		if w == worker {
			return true
		}
	}
	return false
}
