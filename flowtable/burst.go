package flowtable

// MaxBurst is how many hashes Prefetch takes at once.
const MaxBurst = 64

// cached is how many flows at most have their entries and directory slots in the processor's caches anyway.
const cached = 4096

// Prefetch reads what GetHashed is going to read for each of up to MaxBurst hashes, and changes nothing. It first reads all directory
// lines, then all entries, each in a loop of independent reads: the cache misses of a burst overlap instead of standing in line.
func (t *Table) Prefetch(hashes []uint64) {
	if t.live <= cached {
		return
	}
	homes := t.homes[:len(hashes)]
	for i, hash := range hashes {
		homes[i] = t.slots[tagOf(hash)>>t.shift].idx
	}
	// Whether the home slot is the right one is not asked: a branch would make the reads wait for the directory. A wrong
	// guess reads an entry in vain. An entry lies in two cache lines; Key[0] and Tail are one in each.
	sum := uint64(0)
	for _, idx := range homes {
		e := &t.entries[idx]
		sum += e.Key[0] + uint64(e.Tail[0])
	}
	t.touched += sum
}
