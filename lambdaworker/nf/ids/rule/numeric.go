package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units may stand behind a number.
var units = map[string]uint64{"kb": 1 << 10, "kib": 1 << 10, "mb": 1 << 20, "mib": 1 << 20, "gb": 1 << 30, "gib": 1 << 30}

// scaled reads a whole number, decimal or 0x, with a unit behind it or none.
func scaled(s string) (uint64, error) {
	unit := uint64(1)
	for u, x := range units {
		if len(s) > len(u) && strings.EqualFold(s[len(s)-len(u):], u) && !strings.HasPrefix(strings.ToLower(s), "0x") {
			unit, s = x, s[:len(s)-len(u)]
			break
		}
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		n, err = strconv.ParseUint(s, 10, 64)
	}
	if err != nil || n > math.MaxUint64/unit {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n * unit, nil
}

// number reads what keywords of whole numbers take: 5, !5, <5, <=5, >5, >=5, 2<>5, 2-5, &0x10, &0xf0=0x20, &0xf0!=0x20; numbers may have a unit
// as 2kb. max bounds the values. names, if not nil, gives numbers to words.
func number(text string, max uint64, names map[string]uint64) (Range, error) {
	s := strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	one := func(s string) (uint64, error) {
		if n, ok := names[strings.ToLower(s)]; ok {
			return n, nil
		}
		n, err := scaled(s)
		if err != nil {
			return 0, err
		}
		if n > max {
			return 0, fmt.Errorf("%s is out of range 0 to %d", s, max)
		}
		return n, nil
	}
	for _, f := range []struct {
		prefix string
		op     RangeOp
	}{{"!=", NotEqual}, {"!&", NoBit}, {"<=", LessEqual}, {">=", GreaterEqual}, {"<", Less}, {">", Greater}, {"=", Equal}, {"&", AnyBit}} {
		if rest, ok := strings.CutPrefix(s, f.prefix); ok {
			if mask, value, ok := strings.Cut(rest, "="); ok && f.op == AnyBit {
				return masked(mask, value, one)
			}
			n, err := one(rest)
			return Range{Op: f.op, A: n}, err
		}
	}
	op, rest := Between, s
	if strings.HasPrefix(s, "!") {
		op, rest = NotBetween, s[1:]
	}
	lo, hi, ok := strings.Cut(rest, "<>")
	if !ok && len(rest) > 0 && rest[0] != '-' {
		lo, hi, ok = strings.Cut(rest, "-")
		if _, word := names[strings.ToLower(rest)]; word {
			ok = false
		}
	}
	if ok {
		a, err := one(lo)
		if err != nil {
			return Range{}, err
		}
		b, err := one(hi)
		if err == nil && a >= b {
			err = fmt.Errorf("%q: the first number must be below the second", text)
		}
		return Range{Op: op, A: a, B: b}, err
	}
	n, err := one(rest)
	if op == NotBetween {
		return Range{Op: NotEqual, A: n}, err
	}
	return Range{Op: Equal, A: n}, err
}

// masked is &mask=value, or with a '!' at the end of mask &mask!=value.
func masked(mask, value string, one func(string) (uint64, error)) (r Range, err error) {
	r.Op = MaskEqual
	if m, ok := strings.CutSuffix(mask, "!"); ok {
		r.Op, mask = MaskNotEqual, m
	}
	if r.A, err = one(mask); err == nil {
		r.B, err = one(value)
	}
	if err == nil && r.B&^r.A != 0 {
		err = fmt.Errorf("%s has bits outside of the mask %s: nothing can match", value, mask)
	}
	return r, err
}
