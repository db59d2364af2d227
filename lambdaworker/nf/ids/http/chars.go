package http

// isSpace: what ends and surrounds words for lax servers and browsers.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// isBlank: RFC 9110's whitespace, and NUL, which some clients fold with.
func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == 0 }

func isToken(c byte) bool {
	if c <= ' ' || c >= 0x7f {
		return false
	}
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=', '{', '}':
		return false
	}
	return true
}

func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func chomp(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// same reports whether b is s, which is in lower case, in any case.
func same(b []byte, s string) bool {
	return len(b) == len(s) && hasPrefix(b, s)
}

// hasPrefix reports whether b begins with s, which is in lower case, in any case.
func hasPrefix(b []byte, s string) bool {
	if len(b) < len(s) {
		return false
	}
	for i := range len(s) {
		if lower(b[i]) != s[i] {
			return false
		}
	}
	return true
}

// contains reports whether s, which is in lower case, is somewhere in b, in any case; NULs in b don't count, as some
// browsers skip them.
func contains(b []byte, s string) bool {
	for i := range b {
		k := 0
		for j := i; j < len(b) && k < len(s); j++ {
			if b[j] == 0 {
				continue
			}
			if lower(b[j]) != s[k] {
				break
			}
			k++
		}
		if k == len(s) {
			return true
		}
	}
	return false
}

// number reads the first decimal digits in b, whatever is around them: browsers do.
func number(b []byte) (v uint64, ok bool) {
	i := 0
	for i < len(b) && (b[i] < '0' || b[i] > '9') {
		i++
	}
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if v > (1<<63)/10 {
			return 0, false
		}
		v, ok = v*10+uint64(b[i]-'0'), true
	}
	return v, ok
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
