package match

import "encoding/binary"

// Seen remembers which patterns a scan has found. It is made for the largest Set and used by one goroutine.
type Seen struct {
	stamp []uint32
	epoch uint32
}

// NewSeen makes a Seen for sets of at most n patterns.
func NewSeen(n int) *Seen { return &Seen{stamp: make([]uint32, n)} }

// Scan appends the numbers of the patterns that occur in data to hits, each once, in no order.
func (s *Set) Scan(data []byte, seen *Seen, hits []uint32) []uint32 {
	seen.epoch++
	if seen.epoch == 0 { // wrapped
		clear(seen.stamp)
		seen.epoch = 1
	}
	if s.hasQuads {
		hits = s.scanQuads(data, seen, hits)
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

func (s *Set) scanQuads(data []byte, seen *Seen, hits []uint32) []uint32 {
	filter, shift := s.filter, s.shift&31
	i := 0
	// Four positions, each second byte, out of one load of eight and one of four.
	for ; i+12 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:]) | fold<<32 | fold
		x := uint64(binary.LittleEndian.Uint32(data[i+8:])|fold)<<32 | w>>32
		h0, h1 := hash(uint32(w))>>shift, hash(uint32(w>>16))>>shift
		h2, h3 := hash(uint32(w>>32))>>shift, hash(uint32(x>>16))>>shift
		b0, b1 := filter[h0>>6]>>(h0&63), filter[h1>>6]>>(h1&63)
		b2, b3 := filter[h2>>6]>>(h2&63), filter[h3>>6]>>(h3&63)
		if (b0|b1|b2|b3)&1 == 0 {
			continue
		}
		if b0&1 != 0 {
			hits = s.verify(&s.quads, uint32(w), i, data, seen, hits)
		}
		if b1&1 != 0 {
			hits = s.verify(&s.quads, uint32(w>>16), i+2, data, seen, hits)
		}
		if b2&1 != 0 {
			hits = s.verify(&s.quads, uint32(w>>32), i+4, data, seen, hits)
		}
		if b3&1 != 0 {
			hits = s.verify(&s.quads, uint32(x>>16), i+6, data, seen, hits)
		}
	}
	for ; i+4 <= len(data); i += 2 {
		k := binary.LittleEndian.Uint32(data[i:]) | fold
		if h := hash(k) >> shift; filter[h>>6]>>(h&63)&1 != 0 {
			hits = s.verify(&s.quads, k, i, data, seen, hits)
		}
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
	for _, e := range t.find(key) {
		if seen.stamp[e.pattern] == seen.epoch {
			continue
		}
		p := &s.patterns[e.pattern]
		from := at - int(e.back)
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
