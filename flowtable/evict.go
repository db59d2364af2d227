package flowtable

// Expire looks at up to budget entries, where the last call stopped, forgets those that are idle for too long at now, and
// returns how many. Called once a burst it keeps the table free of dead flows at a cost that does not depend on their number.
func (t *Table) Expire(now int64, budget int) (n int) {
	for range min(budget, int(t.flows)) {
		idx := t.turn()
		if e := &t.entries[idx]; e.link == inUse && e.InFlight == 0 && now-e.Seen > t.idle {
			t.remove(idx)
			t.expired++
			n++
		}
	}
	return n
}

// makeRoom gives up the entry idle longest among the next few that have nothing in flight, and reports whether there was one.
// It runs when every entry is in use.
func (t *Table) makeRoom(now int64) bool {
	victim, oldest := None, int64(0)
	for range min(candidates, int(t.flows)) {
		idx := t.turn()
		if e := &t.entries[idx]; e.InFlight == 0 && (victim == None || e.Seen < oldest) {
			victim, oldest = idx, e.Seen
		}
	}
	if victim == None {
		return false
	}
	if now-oldest > t.idle {
		t.expired++
	} else {
		t.evicted++
	}
	t.remove(victim)
	return true
}

// turn moves the hand on and returns where it was.
func (t *Table) turn() uint32 {
	idx := t.hand
	if t.hand++; t.hand == t.flows {
		t.hand = 0
	}
	return idx
}

// remove frees entry idx and closes the gap in the directory: slots behind it move back, so that no probe needs a tombstone.
func (t *Table) remove(idx uint32) {
	e := &t.entries[idx]
	hole := t.tag(&e.Key) >> t.shift
	for t.slots[hole].tag == 0 || t.slots[hole].idx != idx {
		hole = (hole + 1) & t.mask
	}
	for next := (hole + 1) & t.mask; t.slots[next].tag != 0; next = (next + 1) & t.mask {
		if home := t.slots[next].tag >> t.shift; (next-home)&t.mask >= (next-hole)&t.mask {
			t.slots[hole] = t.slots[next]
			hole = next
		}
	}
	t.slots[hole] = slot{}
	e.link = t.free
	t.free = idx
	t.live--
}
