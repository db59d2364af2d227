package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// number reads what keywords of whole numbers take: 5, !5, <5, <=5, >5, >=5, 2<>5, 2-5, &0x10. max bounds the values. names, if not nil,
// gives numbers to words.
func number(text string, max uint64, names map[string]uint64) (Range, error) {
	s := strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	one := func(s string) (uint64, error) {
		if n, ok := names[strings.ToLower(s)]; ok {
			return n, nil
		}
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			n, err = strconv.ParseUint(s, 10, 64)
		}
		if err != nil {
			return 0, fmt.Errorf("%q is no number", s)
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
