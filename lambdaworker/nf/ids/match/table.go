package match

import (
	"math/bits"
	"slices"
)

// table maps keys to runs of entries: open addressing, at most a quarter full, for most that is asked for isn't there.
type table struct {
	mask    uint32
	slots   []slot
	entries []entry
}

type slot struct {
	key   uint32
	first uint32 // index + 1 into entries
	n     uint32
}

type entry struct {
	pattern uint32
	at      int32 // where in the pattern the key begins; -1 where a byte that may be anything stands before it
}

func hash(x uint32) uint32 { return x * 0x9e3779b1 }

func newTable(m map[uint32][]entry) table {
	size := uint32(1) << bits.Len(uint(len(m)*3))
	t := table{mask: size - 1, slots: make([]slot, size)}
	keys := make([]uint32, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys) // so that the same patterns make the same table
	for _, k := range keys {
		at := hash(k) >> 7 & t.mask
		for t.slots[at].first != 0 {
			at = (at + 1) & t.mask
		}
		t.slots[at] = slot{k, uint32(len(t.entries)) + 1, uint32(len(m[k]))}
		t.entries = append(t.entries, m[k]...)
	}
	return t
}

func (t *table) find(key uint32) []entry {
	for at := hash(key) >> 7 & t.mask; ; at = (at + 1) & t.mask {
		s := &t.slots[at]
		if s.first == 0 {
			return nil
		}
		if s.key == key {
			return t.entries[s.first-1 : s.first-1+s.n]
		}
	}
}
