package match

import "bytes"

// Find returns where pattern first occurs in data, or -1, and how many bytes were compared beside those that were searched. Where
// case does not matter, pattern is in lower case.
func Find(data, pattern []byte, noCase bool) (at, compared int) {
	if !noCase {
		return bytes.Index(data, pattern), 0
	}
	c := pattern[0]
	if c < 'a' || c > 'z' {
		for at := 0; ; at++ {
			i := bytes.IndexByte(data[at:], c)
			if i < 0 || at+i+len(pattern) > len(data) {
				return -1, compared
			}
			at += i
			n := prefix(data[at:], pattern)
			if compared += n; n == len(pattern) {
				return at, compared
			}
		}
	}
	for at := 0; at+len(pattern) <= len(data); at++ {
		if data[at]|0x20 == c {
			n := prefix(data[at:], pattern)
			if compared += n; n == len(pattern) {
				return at, compared
			}
		}
	}
	return -1, compared
}

// prefix returns how many bytes of pattern, in lower case, data begins with.
func prefix(data, pattern []byte) int {
	for i, c := range pattern {
		d := data[i]
		if d >= 'A' && d <= 'Z' {
			d += 32
		}
		if d != c {
			return i
		}
	}
	return len(pattern)
}
