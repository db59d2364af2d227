package match

import "bytes"

// Find returns where pattern first occurs in data, or -1. Where case does not matter, pattern is in lower case.
func Find(data, pattern []byte, noCase bool) int {
	if !noCase {
		return bytes.Index(data, pattern)
	}
	c := pattern[0]
	if c < 'a' || c > 'z' {
		for at := 0; ; at++ {
			i := bytes.IndexByte(data[at:], c)
			if i < 0 || at+i+len(pattern) > len(data) {
				return -1
			}
			at += i
			if Equal(data[at:at+len(pattern)], pattern, true) {
				return at
			}
		}
	}
	for at := 0; at+len(pattern) <= len(data); at++ {
		if data[at]|0x20 == c && Equal(data[at:at+len(pattern)], pattern, true) {
			return at
		}
	}
	return -1
}
