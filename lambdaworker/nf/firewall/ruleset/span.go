package ruleset

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// U128 is a value of any field: addresses need all of it, the others the low word.
type U128 struct{ Hi, Lo uint64 }

// Num returns v as a U128.
func Num(v uint64) U128 { return U128{Lo: v} }

// Cmp returns -1, 0 or 1 where a is below, equal to or above b.
func (a U128) Cmp(b U128) int {
	switch {
	case a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// And, Or and Xor work bit by bit.
func (a U128) And(b U128) U128 { return U128{a.Hi & b.Hi, a.Lo & b.Lo} }
func (a U128) Or(b U128) U128  { return U128{a.Hi | b.Hi, a.Lo | b.Lo} }
func (a U128) Xor(b U128) U128 { return U128{a.Hi ^ b.Hi, a.Lo ^ b.Lo} }

// Next returns a+1, 0 behind the highest value.
func (a U128) Next() U128 {
	lo, carry := bits.Add64(a.Lo, 1, 0)
	return U128{a.Hi + carry, lo}
}

// Prev returns a-1, the highest value before 0.
func (a U128) Prev() U128 {
	lo, borrow := bits.Sub64(a.Lo, 1, 0)
	return U128{a.Hi - borrow, lo}
}

// Ones is the highest value of n bits.
func Ones(n int) U128 {
	switch {
	case n >= 128:
		return U128{^uint64(0), ^uint64(0)}
	case n >= 64:
		return U128{1<<(n-64) - 1, ^uint64(0)}
	}
	return U128{0, 1<<n - 1}
}

// AddrValue returns an address as a number, IPv4 in the low 32 bits.
func AddrValue(a netip.Addr) U128 {
	if a.Is4() {
		b := a.As4()
		return Num(uint64(binary.BigEndian.Uint32(b[:])))
	}
	b := a.As16()
	return U128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// TrailingZeros returns how many low bits of a are 0: 128 of 0.
func (a U128) TrailingZeros() int {
	if a.Lo != 0 {
		return bits.TrailingZeros64(a.Lo)
	}
	return 64 + bits.TrailingZeros64(a.Hi)
}

// As16 returns a in network byte order.
func (a U128) As16() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return b
}

// Span is the values lo to hi, both included.
type Span struct{ Lo, Hi U128 }

// Contains reports whether v is one of the values.
func (s Span) Contains(v U128) bool { return s.Lo.Cmp(v) <= 0 && v.Cmp(s.Hi) <= 0 }

// Spans is a set of values: sorted, disjoint, not adjacent (after normal).
type Spans []Span

// Normal sorts s and joins what overlaps or touches.
func (s Spans) Normal() Spans {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b Span) int { return a.Lo.Cmp(b.Lo) })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && (x.Lo.Cmp(out[n-1].Hi) <= 0 || x.Lo == out[n-1].Hi.Next()) {
			if x.Hi.Cmp(out[n-1].Hi) > 0 {
				out[n-1].Hi = x.Hi
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// Complement returns the values 0 to top that are not in s, which is normal.
func (s Spans) Complement(top U128) Spans {
	var out Spans
	next := U128{}
	for _, x := range s {
		if x.Lo.Cmp(next) > 0 {
			out = append(out, Span{next, x.Lo.Prev()})
		}
		if x.Hi == top {
			return out
		}
		next = x.Hi.Next()
	}
	return append(out, Span{next, top})
}

// Intersect returns the values in both, which are normal.
func (s Spans) Intersect(t Spans) Spans {
	var out Spans
	for i, j := 0, 0; i < len(s) && j < len(t); {
		lo, hi := s[i].Lo, s[i].Hi
		if t[j].Lo.Cmp(lo) > 0 {
			lo = t[j].Lo
		}
		if t[j].Hi.Cmp(hi) < 0 {
			hi = t[j].Hi
		}
		if lo.Cmp(hi) <= 0 {
			out = append(out, Span{lo, hi})
		}
		if s[i].Hi.Cmp(t[j].Hi) < 0 {
			i++
		} else {
			j++
		}
	}
	return out
}

// Contains reports whether v is in s, which is normal.
func (s Spans) Contains(v U128) bool {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s[mid].Hi.Cmp(v) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s) && s[lo].Lo.Cmp(v) <= 0
}
