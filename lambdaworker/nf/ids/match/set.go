package match

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Pattern is what to look for.
type Pattern struct {
	Bytes  []byte
	NoCase bool
}

// Set is a compiled set of patterns, numbered as they were given. It may be used by many goroutines.
type Set struct {
	patterns []Pattern // of those without case the bytes are lower case
	shift    uint8     // of the hash, for filter
	filter   []uint64
	quads    table
	hasQuads bool
	pairs    *[1024]uint64 // folded first two bytes of patterns of 2 to 4 bytes, a bit each
	pairTab  table
	bytes    *[256][]uint32 // patterns of one byte
}

// table maps keys to runs of entries: open addressing, at most half full.
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
	back    uint32 // bytes of the pattern before its key
}

const fold = 0x20202020

// New compiles patterns, none of them empty.
func New(patterns []Pattern) *Set {
	s := &Set{patterns: make([]Pattern, len(patterns))}
	quads, pairs := map[uint32][]entry{}, map[uint32][]entry{}
	for i, p := range patterns {
		if p.NoCase {
			p.Bytes = lower(p.Bytes)
		}
		s.patterns[i] = p
		id := uint32(i)
		switch n := len(p.Bytes); {
		case n >= 5:
			at := rarest(p.Bytes)
			for _, k := range []int{at, at + 1} {
				key := binary.LittleEndian.Uint32(p.Bytes[k:]) | fold
				quads[key] = append(quads[key], entry{id, uint32(k)})
			}
		case n >= 2:
			key := uint32(binary.LittleEndian.Uint16(p.Bytes)) | fold&0xffff
			pairs[key] = append(pairs[key], entry{id, 0})
		default:
			if s.bytes == nil {
				s.bytes = new([256][]uint32)
			}
			c := p.Bytes[0]
			s.bytes[c] = append(s.bytes[c], id)
			if p.NoCase && c >= 'a' && c <= 'z' {
				s.bytes[c-32] = append(s.bytes[c-32], id)
			}
		}
	}
	if len(quads) > 0 {
		s.hasQuads = true
		// About one bit in thirty set: few false alarms, and 64 KiB at 10,000 patterns.
		order := max(13, min(21, bits.Len(uint(len(quads)*32))-1))
		s.shift = uint8(32 - order)
		s.filter = make([]uint64, 1<<order/64)
		for key := range quads {
			h := hash(key) >> s.shift
			s.filter[h>>6] |= 1 << (h & 63)
		}
		s.quads = newTable(quads)
	}
	if len(pairs) > 0 {
		s.pairs = new([1024]uint64)
		for key := range pairs {
			s.pairs[key>>6] |= 1 << (key & 63)
		}
		s.pairTab = newTable(pairs)
	}
	return s
}

// Len returns the number of patterns.
func (s *Set) Len() int { return len(s.patterns) }

func hash(x uint32) uint32 { return x * 0x9e3779b1 }

func newTable(m map[uint32][]entry) table {
	size := uint32(1) << bits.Len(uint(len(m)*2))
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

func lower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 32
		}
		out[i] = c
	}
	return out
}
