package rule

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Addresses is a set of addresses: sorted ranges, IPv4 and IPv6 apart.
type Addresses struct {
	Any     bool // every address of both versions
	Negated bool // a '!' stands in the text
	v4      []span32
	v6      []span128
}

type span32 struct{ lo, hi uint32 }

type u128 struct{ hi, lo uint64 }

type span128 struct{ lo, hi u128 }

func (a u128) less(b u128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a u128) next() u128 {
	lo, c := bits.Add64(a.lo, 1, 0)
	return u128{a.hi + c, lo}
}

func (a u128) prev() u128 {
	lo, c := bits.Sub64(a.lo, 1, 0)
	return u128{a.hi - c, lo}
}

// Contains reports whether addr, 4 or 16 bytes, is in the set.
func (a *Addresses) Contains(addr []byte) bool {
	if a.Any {
		return true
	}
	switch len(addr) {
	case 4:
		x := uint32(addr[0])<<24 | uint32(addr[1])<<16 | uint32(addr[2])<<8 | uint32(addr[3])
		for i := range a.v4 {
			if s := a.v4[i]; x <= s.hi {
				return x >= s.lo
			}
		}
	case 16:
		x := u128{be64(addr), be64(addr[8:])}
		for i := range a.v6 {
			if s := &a.v6[i]; !s.hi.less(x) {
				return !x.less(s.lo)
			}
		}
	}
	return false
}

func be64(b []byte) (x uint64) {
	for _, c := range b[:8] {
		x = x<<8 | uint64(c)
	}
	return x
}

func allAddresses() Addresses {
	return Addresses{v4: []span32{{0, math.MaxUint32}}, v6: []span128{{u128{}, u128{math.MaxUint64, math.MaxUint64}}}}
}

func (a *Addresses) empty() bool { return !a.Any && len(a.v4) == 0 && len(a.v6) == 0 }

func (a *Addresses) add(b *Addresses) {
	a.v4 = append(a.v4, b.v4...)
	a.v6 = append(a.v6, b.v6...)
	a.merge()
}

func (a *Addresses) merge() {
	slices.SortFunc(a.v4, func(x, y span32) int {
		if x.lo < y.lo {
			return -1
		}
		return 1
	})
	out := a.v4[:0]
	for _, s := range a.v4 {
		if n := len(out); n > 0 && (s.lo <= out[n-1].hi || s.lo == out[n-1].hi+1) {
			out[n-1].hi = max(out[n-1].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	a.v4 = out
	slices.SortFunc(a.v6, func(x, y span128) int {
		if x.lo.less(y.lo) {
			return -1
		}
		return 1
	})
	out6 := a.v6[:0]
	for _, s := range a.v6 {
		if n := len(out6); n > 0 && !out6[n-1].hi.less(s.lo) {
			if out6[n-1].hi.less(s.hi) {
				out6[n-1].hi = s.hi
			}
			continue
		}
		out6 = append(out6, s)
	}
	a.v6 = out6
}

// without returns a less b; both are merged.
func (a *Addresses) without(b *Addresses) Addresses {
	var r Addresses
	for _, s := range a.v4 {
		keep := true
		for _, x := range b.v4 {
			if x.hi < s.lo || x.lo > s.hi {
				continue
			}
			if x.lo > s.lo {
				r.v4 = append(r.v4, span32{s.lo, x.lo - 1})
			}
			if x.hi >= s.hi {
				keep = false
				break
			}
			s.lo = x.hi + 1
		}
		if keep {
			r.v4 = append(r.v4, s)
		}
	}
	for _, s := range a.v6 {
		keep := true
		for _, x := range b.v6 {
			if x.hi.less(s.lo) || s.hi.less(x.lo) {
				continue
			}
			if s.lo.less(x.lo) {
				r.v6 = append(r.v6, span128{s.lo, x.lo.prev()})
			}
			if !x.hi.less(s.hi) {
				keep = false
				break
			}
			s.lo = x.hi.next()
		}
		if keep {
			r.v6 = append(r.v6, s)
		}
	}
	return r
}

// maxNesting bounds lists in lists, and variables that name variables.
const maxNesting = 32

// addresses reads an address, a prefix, a range a-b, a [list] of those, a $VARIABLE, any of them behind a '!'.
func (v *Vars) addresses(text string, depth int) (Addresses, error) {
	text = bracketed(strings.TrimSpace(text))
	if depth > maxNesting {
		return Addresses{}, fmt.Errorf("lists or variables are nested deeper than %d", maxNesting)
	}
	negated := strings.HasPrefix(text, "!")
	if negated {
		in, err := v.addresses(text[1:], depth+1)
		if err != nil {
			return in, err
		}
		if in.Any {
			return in, fmt.Errorf("%q matches no address", text)
		}
		all := allAddresses()
		out := all.without(&in)
		out.Negated = true
		return out, nil
	}
	switch {
	case strings.EqualFold(text, "any"):
		return Addresses{Any: true}, nil
	case text == "":
		return Addresses{}, fmt.Errorf("an address is missing")
	case text[0] == '$':
		value, ok := v.Address[text[1:]]
		if !ok {
			return Addresses{}, fmt.Errorf("address variable %s is not defined; set it in the option vars.address", text)
		}
		return v.addresses(value, depth+1)
	case text[0] == '[':
		return v.addressList(text, depth)
	}
	return addressRange(text)
}

func (v *Vars) addressList(text string, depth int) (Addresses, error) {
	items, err := list(text)
	if err != nil {
		return Addresses{}, err
	}
	var in, out Addresses
	positive, negated := false, false
	for _, it := range items {
		not := strings.HasPrefix(it, "!")
		a, err := v.addresses(strings.TrimPrefix(it, "!"), depth+1)
		if err != nil {
			return a, err
		}
		negated = negated || not || a.Negated
		if a.Any {
			a = allAddresses()
		}
		if not {
			out.add(&a)
		} else {
			positive = true
			in.add(&a)
		}
	}
	if !positive {
		in = allAddresses()
	}
	r := in.without(&out)
	r.Negated = negated
	if r.empty() {
		return r, fmt.Errorf("%q matches no address", text)
	}
	if all := allAddresses(); slices.Equal(r.v4, all.v4) && slices.Equal(r.v6, all.v6) {
		return Addresses{Any: true}, nil
	}
	return r, nil
}

// bracketed puts the brackets around a list that was written without.
func bracketed(text string) string {
	depth := 0
	for _, c := range text {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ',' && depth == 0:
			return "[" + text + "]"
		}
	}
	return text
}

// list splits "[a,b,[c,d]]" at its own commas.
func list(text string) ([]string, error) {
	if len(text) < 2 || text[len(text)-1] != ']' {
		return nil, fmt.Errorf("%q lacks its closing bracket", text)
	}
	var items []string
	depth, start := 0, 1
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '[':
			depth++
		case c == ']' && i < len(text)-1:
			depth--
			if depth < 0 {
				return nil, fmt.Errorf("%q has a closing bracket too many", text)
			}
		case (c == ',' || c == ']') && depth == 0:
			items = append(items, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("%q lacks a closing bracket", text)
	}
	return items, nil
}

func addressRange(text string) (Addresses, error) {
	if a, b, ok := strings.Cut(text, "-"); ok {
		lo, err1 := netip.ParseAddr(strings.TrimSpace(a))
		hi, err2 := netip.ParseAddr(strings.TrimSpace(b))
		if err1 != nil || err2 != nil || lo.Is4() != hi.Is4() || hi.Less(lo) {
			return Addresses{}, fmt.Errorf("%q is no range of addresses", text)
		}
		return spanOf(lo, hi), nil
	}
	if ip, mask, ok := strings.Cut(text, "/"); ok {
		a, err := netip.ParseAddr(ip)
		if err != nil {
			return Addresses{}, fmt.Errorf("%q is no address", ip)
		}
		n := 0
		if m, err := netip.ParseAddr(mask); err == nil && m.Is4() && a.Is4() {
			x := m.As4()
			n = bits.LeadingZeros32(^(uint32(x[0])<<24 | uint32(x[1])<<16 | uint32(x[2])<<8 | uint32(x[3])))
		} else if n, err = strconv.Atoi(mask); err != nil {
			return Addresses{}, fmt.Errorf("%q is no netmask", mask)
		}
		p, err := a.Prefix(n)
		if err != nil {
			return Addresses{}, fmt.Errorf("/%s is no prefix length of %s", mask, ip)
		}
		lo := p.Addr()
		last := lo.AsSlice()
		for i := range last {
			switch k := n - 8*i; {
			case k <= 0:
				last[i] = 0xff
			case k < 8:
				last[i] |= 0xff >> k
			}
		}
		hi, _ := netip.AddrFromSlice(last)
		return spanOf(lo, hi), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return Addresses{}, fmt.Errorf("%q is no address, prefix, range, list or variable", text)
	}
	return spanOf(a, a), nil
}

func spanOf(lo, hi netip.Addr) Addresses {
	if lo.Is4() {
		l, h := lo.As4(), hi.As4()
		return Addresses{v4: []span32{{
			uint32(l[0])<<24 | uint32(l[1])<<16 | uint32(l[2])<<8 | uint32(l[3]),
			uint32(h[0])<<24 | uint32(h[1])<<16 | uint32(h[2])<<8 | uint32(h[3]),
		}}}
	}
	l, h := lo.As16(), hi.As16()
	return Addresses{v6: []span128{{u128{be64(l[:]), be64(l[8:])}, u128{be64(h[:]), be64(h[8:])}}}}
}
