package traffic

// sequence watches the numbers of one flow, from 0 upwards, as they arrive.
type sequence struct {
	seen                  []uint64 // a bit a number
	next                  uint64   // one above the highest so far
	unique                uint64
	duplicates, reordered uint64
}

// arrived notes number n. A packet is reordered if one sent after it came before it (RFC 4737, section 3), and a duplicate
// if it came before.
func (s *sequence) arrived(n uint64) {
	for uint64(len(s.seen)) <= n/64 {
		s.seen = append(s.seen, 0)
	}
	bit := uint64(1) << (n % 64)
	switch {
	case s.seen[n/64]&bit != 0:
		s.duplicates++
		return
	case n < s.next:
		s.reordered++
	default:
		s.next = n + 1
	}
	s.seen[n/64] |= bit
	s.unique++
}
