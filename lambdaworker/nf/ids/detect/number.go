package detect

import "github.com/granule-nf/granule/lambdaworker/nf/ids/rule"

// number reads the number of a byte_* item and returns where its bytes end.
func (x *inspector) number(it *item) (v uint64, end int, ok bool) {
	b := &it.byte
	at := x.value(b.Offset)
	if it.relative {
		at += x.at
	}
	n := x.value(b.Bytes)
	if at < 0 || n < 0 || at+n > len(x.buf) {
		return 0, 0, false
	}
	if b.Base != 0 {
		if n == 0 { // string without a length: what is there, as strtoull
			n = min(len(x.buf)-at, 23)
		}
		if v, n, ok = digits(x.buf[at:at+n], b.Base); !ok {
			return 0, 0, false
		}
	} else {
		if n < 1 && it.kind != rule.ByteJump || n > 8 {
			return 0, 0, false
		}
		for i := range n {
			if b.Little {
				v |= uint64(x.buf[at+i]) << (8 * i)
			} else {
				v = v<<8 | uint64(x.buf[at+i])
			}
		}
	}
	if it.kind != rule.ByteMath {
		v = it.masked(v)
	}
	return v, at + n, true
}

// masked applies the bitmask of a byte_* item; that of byte_math is for its result.
func (it *item) masked(v uint64) uint64 {
	if m := uint64(it.byte.Mask); m != 0 {
		return (v & m) >> it.maskShift
	}
	return v
}

// digits reads a number as strtoull does: blanks, a sign, digits up to the first byte that is none.
func digits(s []byte, base int) (v uint64, n int, ok bool) {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
		i++
	}
	minus := false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		minus = s[i] == '-'
		i++
	}
	if base == rule.AnyBase {
		base = 10
		if i+1 < len(s) && s[i] == '0' {
			base = 8
			if s[i+1]|0x20 == 'x' {
				base = 16
			}
		}
	}
	if base == 16 && i+2 < len(s) && s[i] == '0' && s[i+1]|0x20 == 'x' {
		i += 2
	}
	for ; i < len(s); i++ {
		c := s[i]
		d := 99
		switch {
		case c >= '0' && c <= '9':
			d = int(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = int(c|0x20-'a') + 10
		}
		if d >= base {
			break
		}
		v, ok = v*uint64(base)+uint64(d), true
	}
	if minus {
		v = -v
	}
	return v, i, ok
}

func (x *inspector) byteTest(it *item, v uint64) bool {
	w := x.number64(it.byte.Value)
	switch it.byte.Op {
	case '<':
		return v < w
	case '>':
		return v > w
	case '=':
		return v == w
	case 'l':
		return v <= w
	case 'g':
		return v >= w
	case '&':
		return v&w != 0
	case '^':
		return v^w != 0
	}
	return false
}

func (x *inspector) byteJump(it *item) bool {
	v, end, ok := x.number(it)
	if !ok {
		return false
	}
	b := &it.byte
	if v > far {
		return false
	}
	n := int(v) * int(b.Multiplier)
	if b.Align > 0 && n%b.Align != 0 {
		n += b.Align - n%b.Align
	}
	n += x.value(b.PostOffset)
	to := end + n
	switch b.From {
	case 'b':
		to = n
	case 'e':
		to = len(x.buf) + n
	}
	if to > len(x.buf) {
		return false
	}
	x.at = max(to, 0)
	return true
}

func extracted(it *item, v uint64) int64 {
	v *= uint64(it.byte.Multiplier)
	if a := uint64(it.byte.Align); a > 0 && v%a != 0 {
		v += a - v%a
	}
	return int64(v)
}

func (x *inspector) byteMath(it *item, v uint64) bool {
	w := x.number64(it.byte.Value)
	switch it.byte.Op {
	case '+':
		v += w
	case '-':
		v -= w
	case '*':
		v *= w
	case '/':
		if w == 0 {
			return false
		}
		v /= w
	case 'l':
		if w >= 64 {
			return false
		}
		v <<= w
	case 'r':
		if w >= 64 {
			return false
		}
		v >>= w
	}
	x.vars[it.byte.Result] = int64(it.masked(v))
	return true
}
