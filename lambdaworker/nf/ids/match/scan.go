package match

import (
	"encoding/binary"
	"math"
)

// Seen remembers which patterns a scan has found. It is made for the largest Set and used by one goroutine.
type Seen struct {
	// Ticks bounds the next scan: what that costs, in about nanoseconds, is taken from it, and below zero it is given up. Only patterns that
	// have much in common, on data made of that, cost more than the bytes.
	Ticks int
	stamp []uint32
	epoch uint32
}

// NewSeen makes a Seen for sets of at most n patterns.
func NewSeen(n int) *Seen { return &Seen{Ticks: math.MaxInt, stamp: make([]uint32, n)} }

// Scan appends the numbers of the patterns that occur in data to hits, each once, in no order.
func (s *Set) Scan(data []byte, seen *Seen, hits []uint32) []uint32 {
	seen.epoch++
	if seen.epoch == 0 { // wrapped
		clear(seen.stamp)
		seen.epoch = 1
	}
	seen.Ticks -= len(data) / scanShare
	if s.filter != nil {
		hits = s.scanWindows(data, seen, hits)
	}
	if s.few != nil {
		hits = s.scanFew(data, seen, hits)
	}
	if s.pairs != nil {
		hits = s.scanPairs(data, seen, hits)
	}
	if s.bytes != nil {
		for _, c := range data {
			for _, id := range s.bytes[c] {
				if seen.stamp[id] != seen.epoch {
					seen.stamp[id] = seen.epoch
					hits = append(hits, id)
				}
			}
		}
	}
	return hits
}

// Costs, in ticks.
const (
	scanShare   = 2 // bytes that are scanned in a tick
	verifyTicks = 8 // to compare a pattern
)

// scanWindows looks at the windows at every s.step-th byte.
func (s *Set) scanWindows(data []byte, seen *Seen, hits []uint32) []uint32 {
	skip := skipBy4
	if s.step == 2 {
		skip = skipBy2
	}
	i := 0
	for {
		i += skip(s.filter, s.shift, data[i:])
		if i+blockSize+2 > len(data) {
			return s.scanEnd(i, data, seen, hits)
		}
		for end := i + blockSize; i < end; i += s.step {
			k := binary.LittleEndian.Uint32(data[i:]) | fold
			if s.filter[hash(k)>>(s.shift&31)]&(1<<(k&31)) != 0 {
				hits = s.window(k, i, data, seen, hits)
			}
		}
	}
}

// blockSize is how many bytes skipBy4 and skipBy2 look at in one go; the last window may reach two bytes beyond.
const blockSize = 16

// skipBy4 returns where the first block with a window in the filter begins, or where less than a block and two bytes are
// left. It calls nothing, so that all it needs stays in registers.
func skipBy4(filter []uint32, shift uint8, data []byte) int {
	shift &= 31
	all := len(data)
	for len(data) >= blockSize+2 {
		a := binary.LittleEndian.Uint64(data) | fold<<32 | fold
		b := binary.LittleEndian.Uint64(data[8:]) | fold<<32 | fold
		k0, k1, k2, k3 := uint32(a), uint32(a>>32), uint32(b), uint32(b>>32)
		if filter[hash(k0)>>shift]&(1<<(k0&31)) != 0 || filter[hash(k1)>>shift]&(1<<(k1&31)) != 0 ||
			filter[hash(k2)>>shift]&(1<<(k2&31)) != 0 || filter[hash(k3)>>shift]&(1<<(k3&31)) != 0 {
			break
		}
		data = data[blockSize:]
	}
	return all - len(data)
}

// skipBy2 is skipBy4 for windows at every second byte.
func skipBy2(filter []uint32, shift uint8, data []byte) int {
	shift &= 31
	all := len(data)
	for len(data) >= blockSize+2 {
		a := binary.LittleEndian.Uint64(data) | fold<<32 | fold
		b := binary.LittleEndian.Uint64(data[8:]) | fold<<32 | fold
		k0, k1, k2, k3 := uint32(a), uint32(a>>32), uint32(b), uint32(b>>32)
		if filter[hash(k0)>>shift]&(1<<(k0&31)) != 0 || filter[hash(k1)>>shift]&(1<<(k1&31)) != 0 ||
			filter[hash(k2)>>shift]&(1<<(k2&31)) != 0 || filter[hash(k3)>>shift]&(1<<(k3&31)) != 0 {
			break
		}
		c := uint32(binary.LittleEndian.Uint16(data[16:]) | fold&0xffff)
		k0, k1, k2, k3 = uint32(a>>16), uint32(a>>48)|k2<<16, uint32(b>>16), uint32(b>>48)|c<<16
		if filter[hash(k0)>>shift]&(1<<(k0&31)) != 0 || filter[hash(k1)>>shift]&(1<<(k1&31)) != 0 ||
			filter[hash(k2)>>shift]&(1<<(k2&31)) != 0 || filter[hash(k3)>>shift]&(1<<(k3&31)) != 0 {
			break
		}
		data = data[blockSize:]
	}
	return all - len(data)
}

// scanEnd looks at the windows from i on, the last of which may have a byte that is no longer there.
func (s *Set) scanEnd(i int, data []byte, seen *Seen, hits []uint32) []uint32 {
	for ; i+3 <= len(data); i += s.step {
		k := uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16 | fold
		if i+3 < len(data) {
			k |= uint32(data[i+3]) << 24
		}
		if s.filter[hash(k)>>(s.shift&31)]&(1<<(k&31)) != 0 {
			hits = s.window(k, i, data, seen, hits)
		}
	}
	return hits
}

// window compares the patterns that have the window key.
func (s *Set) window(key uint32, at int, data []byte, seen *Seen, hits []uint32) []uint32 {
	hits = s.verify(&s.windows, key, at, data, seen, hits)
	if s.wild {
		hits = s.verify(&s.windows, key&^firstByte, at, data, seen, hits)
		hits = s.verify(&s.windows, key&^lastByte, at, data, seen, hits)
	}
	return hits
}

func (s *Set) scanPairs(data []byte, seen *Seen, hits []uint32) []uint32 {
	if len(data) == 0 {
		return hits
	}
	prev := uint32(data[0]) | 0x20
	for i := 1; i < len(data); i++ {
		c := uint32(data[i]) | 0x20
		k := c<<8 | prev
		prev = c
		if s.pairs[k>>6&1023]>>(k&63)&1 != 0 {
			hits = s.verify(&s.pairTab, k, i-1, data, seen, hits)
		}
	}
	return hits
}

// verify compares the patterns whose key was met at data[at:].
func (s *Set) verify(t *table, key uint32, at int, data []byte, seen *Seen, hits []uint32) []uint32 {
	if seen.Ticks < 0 {
		return hits
	}
	entries := t.find(key)
	seen.Ticks -= verifyTicks * len(entries)
	for _, e := range entries {
		if seen.stamp[e.pattern] == seen.epoch {
			continue
		}
		p := &s.patterns[e.pattern]
		from := at - int(e.at)
		if from < 0 || from+len(p.Bytes) > len(data) {
			continue
		}
		if Equal(data[from:from+len(p.Bytes)], p.Bytes, p.NoCase) {
			seen.stamp[e.pattern] = seen.epoch
			hits = append(hits, e.pattern)
		}
	}
	return hits
}

// Equal reports whether data is pattern; of the same length. Where case does not matter, pattern is in lower case.
func Equal(data, pattern []byte, noCase bool) bool {
	if !noCase {
		return string(data) == string(pattern)
	}
	for i, c := range pattern {
		d := data[i]
		if d >= 'A' && d <= 'Z' {
			d += 32
		}
		if d != c {
			return false
		}
	}
	return true
}
