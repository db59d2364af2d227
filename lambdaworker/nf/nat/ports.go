package nat

import "math/bits"

// portset is which ports of one address and protocol are taken: a bit each.
type portset [1024]uint64

func (s *portset) take(port uint16) { s[port>>6] |= 1 << (port & 63) }

func (s *portset) give(port uint16) { s[port>>6] &^= 1 << (port & 63) }

// parities are the ports of a word that are even, and those that are odd.
var parities = [2]uint64{0x5555555555555555, 0xaaaaaaaaaaaaaaaa}

// find returns a free port of first to last: the first one from start on, around the end, that is as even or odd as like (RFC 4787 REQ-4: RTP on
// an even port, RTCP on the next), or one that is not, if there is no other.
func (s *portset) find(first, last, start int, like uint16) (port uint16, ok bool) {
	for n := range 2 {
		mask := parities[(like+uint16(n))&1]
		if p := s.scan(start, last, mask); p >= 0 {
			return uint16(p), true
		}
		if p := s.scan(first, start-1, mask); p >= 0 {
			return uint16(p), true
		}
	}
	return 0, false
}

// scan returns the lowest free port of from to to that mask allows, -1 for none.
func (s *portset) scan(from, to int, mask uint64) int {
	for w := from >> 6; w <= to>>6 && from <= to; w++ {
		free := ^s[w] & mask
		if low := w << 6; low < from {
			free &= ^uint64(0) << (from - low)
		}
		if high := w<<6 + 63; high > to {
			free &= ^uint64(0) >> (high - to)
		}
		if free != 0 {
			return w<<6 + bits.TrailingZeros64(free)
		}
	}
	return -1
}
