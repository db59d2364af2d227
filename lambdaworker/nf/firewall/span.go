package firewall

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// u128 is a value of any field: addresses need all of it, the others the low word.
type u128 struct{ hi, lo uint64 }

func num(v uint64) u128 { return u128{lo: v} }

func (a u128) cmp(b u128) int {
	switch {
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	case a == b:
		return 0
	}
	return 1
}

func (a u128) and(b u128) u128 { return u128{a.hi & b.hi, a.lo & b.lo} }
func (a u128) or(b u128) u128  { return u128{a.hi | b.hi, a.lo | b.lo} }
func (a u128) xor(b u128) u128 { return u128{a.hi ^ b.hi, a.lo ^ b.lo} }

func (a u128) next() u128 {
	lo, carry := bits.Add64(a.lo, 1, 0)
	return u128{a.hi + carry, lo}
}

func (a u128) prev() u128 {
	lo, borrow := bits.Sub64(a.lo, 1, 0)
	return u128{a.hi - borrow, lo}
}

// ones is the highest value of n bits.
func ones(n int) u128 {
	switch {
	case n >= 128:
		return u128{^uint64(0), ^uint64(0)}
	case n >= 64:
		return u128{1<<(n-64) - 1, ^uint64(0)}
	}
	return u128{0, 1<<n - 1}
}

func addrValue(a netip.Addr) u128 {
	if a.Is4() {
		b := a.As4()
		return num(uint64(binary.BigEndian.Uint32(b[:])))
	}
	b := a.As16()
	return u128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// span is the values lo to hi, both included.
type span struct{ lo, hi u128 }

func (s span) contains(v u128) bool { return s.lo.cmp(v) <= 0 && v.cmp(s.hi) <= 0 }

// spans is a set of values: sorted, disjoint, not adjacent (after normal).
type spans []span

// normal sorts s and joins what overlaps or touches.
func (s spans) normal() spans {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b span) int { return a.lo.cmp(b.lo) })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && (x.lo.cmp(out[n-1].hi) <= 0 || x.lo == out[n-1].hi.next()) {
			if x.hi.cmp(out[n-1].hi) > 0 {
				out[n-1].hi = x.hi
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// complement returns the values 0 to top that are not in s, which is normal.
func (s spans) complement(top u128) spans {
	var out spans
	next := u128{}
	for _, x := range s {
		if x.lo.cmp(next) > 0 {
			out = append(out, span{next, x.lo.prev()})
		}
		if x.hi == top {
			return out
		}
		next = x.hi.next()
	}
	return append(out, span{next, top})
}

// intersect returns the values in both, which are normal.
func (s spans) intersect(t spans) spans {
	var out spans
	for i, j := 0, 0; i < len(s) && j < len(t); {
		lo, hi := s[i].lo, s[i].hi
		if t[j].lo.cmp(lo) > 0 {
			lo = t[j].lo
		}
		if t[j].hi.cmp(hi) < 0 {
			hi = t[j].hi
		}
		if lo.cmp(hi) <= 0 {
			out = append(out, span{lo, hi})
		}
		if s[i].hi.cmp(t[j].hi) < 0 {
			i++
		} else {
			j++
		}
	}
	return out
}

// contains reports whether v is in s, which is normal.
func (s spans) contains(v u128) bool {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s[mid].hi.cmp(v) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s) && s[lo].lo.cmp(v) <= 0
}
