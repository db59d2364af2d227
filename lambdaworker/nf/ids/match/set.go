package match

import (
	"encoding/binary"
	"math/bits"
)

// Pattern is what to look for.
type Pattern struct {
	Bytes  []byte
	NoCase bool
}

// Set is a compiled set of patterns, numbered as they were given. It may be used by many goroutines.
type Set struct {
	patterns []Pattern // of those without case the bytes are lower case
	step     int       // windows begin at every step-th byte: 2 or 4
	shift    uint8     // of the hash, for filter
	filter   []uint32  // nil without windows
	wild     bool      // some windows have a byte that may be anything
	windows  table
	few      []few         // patterns of two bytes, if there are few; else
	pairs    *[1024]uint64 // folded patterns of two bytes, a bit each
	pairTab  table
	bytes    *[256][]uint32 // patterns of one byte
}

const fold = 0x20202020

// New compiles patterns, none of them empty.
func New(patterns []Pattern) *Set {
	s := &Set{patterns: make([]Pattern, len(patterns))}
	pairs := map[uint32][]entry{}
	shortest := 1 << 16 // of those with windows
	for i, p := range patterns {
		if p.NoCase {
			p.Bytes = lower(p.Bytes)
		}
		s.patterns[i] = p
		id := uint32(i)
		switch n := len(p.Bytes); {
		case n >= 3:
			shortest = min(shortest, n)
		case n == 2:
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
	if shortest < 1<<16 {
		if shortest < 5 || !s.build(4) {
			s.build(2)
		}
	}
	if s.few = findFew(s.patterns); len(pairs) > 0 && s.few == nil {
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

// Bits of a filter, as powers of two. The usual one stays in the first-level cache beside the data, the largest in the second.
const (
	minOrder   = 12
	usualOrder = 19
	maxOrder   = 20
)

// build enters each pattern by one window for each place that it may have among the windows of the data. It gives up, with
// false, where steps of four would fill the filter with windows that have a byte that may be anything.
func (s *Set) build(step int) bool {
	s.step, s.wild = step, false
	keys := map[uint32][]entry{}
	for i, p := range s.patterns {
		if len(p.Bytes) < 3 {
			continue
		}
		for r := range step {
			w := bestWindow(p.Bytes, r, step)
			s.wild = s.wild || w.wild()
			keys[w.key] = append(keys[w.key], entry{uint32(i), int32(w.at)})
		}
	}
	n := 0
	for key := range keys {
		n += window{key: key}.share()
	}
	order := max(minOrder, min(bits.Len(uint(n*128)), usualOrder))
	for order < maxOrder && n*24 > 1<<order {
		order++
	}
	if step > 2 && n*24 > 1<<order {
		return false
	}
	s.shift = uint8(32 + 5 - order)
	s.filter = make([]uint32, 1<<order/32)
	for key := range keys {
		window{key: key}.each(func(k uint32) { s.filter[hash(k)>>s.shift] |= 1 << (k & 31) })
	}
	s.windows = newTable(keys)
	return true
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
