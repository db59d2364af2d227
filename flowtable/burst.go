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
	sum := uint64(0)
	for _, tag := range tags {
		s := t.slots[tag>>t.shift]
		if s.tag == tag {
			sum += t.entries[s.idx].Key[1]
		}
	}
	t.touched += sum
	for i := range keys {
		idx[i], fresh[i] = t.get(&keys[i], tags[i], now)
	}
}
