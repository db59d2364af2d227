package flowtable

import "github.com/granule-nf/granule/ingress/packet"

// MaxBurst is how many keys GetBurst takes at once.
const MaxBurst = 64

// GetBurst does what Get does for each of keys in turn, with up to MaxBurst of them. It first hashes all keys, then reads all
// directory lines, then all entries, each in a loop of independent reads: the cache misses of a burst overlap instead of
// standing in line.
func (t *Table) GetBurst(keys []packet.Key, now int64, idx []uint32, fresh []bool) {
	n := len(keys)
	_, _, tags := idx[:n], fresh[:n], t.hashes[:n]
	for i := range keys {
		tags[i] = t.tag(&keys[i])
	}
	homes := t.homes[:n]
	for i, tag := range tags {
		homes[i] = t.slots[tag>>t.shift].idx
	}
	// Whether the home slot is the right one is not asked: a branch would make the reads wait for the directory. A wrong
	// guess reads an entry in vain. An entry lies in two cache lines; Key[0] and Tail are one in each.
	sum := uint64(0)
	for _, idx := range homes {
		e := &t.entries[idx]
		sum += e.Key[0] + uint64(e.Tail[0])
	}
	t.touched += sum
	for i := range keys {
		idx[i], fresh[i] = t.get(&keys[i], tags[i], now)
	}
}
