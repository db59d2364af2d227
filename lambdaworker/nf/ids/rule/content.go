package rule

import (
	"fmt"
	"strings"
)

// quoted reads an argument like  !"text"  and says where text starts.
func quoted(arg string) (text string, at int, negated bool, err error) {
	at = len(arg) - len(strings.TrimLeft(arg, " \t"))
	s := strings.TrimSpace(arg)
	if strings.HasPrefix(s, "!") {
		negated = true
		rest := strings.TrimLeft(s[1:], " \t")
		at += len(s) - len(rest)
		s = rest
	}
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", at, negated, fmt.Errorf("%s must stand in double quotes", arg)
	}
	return s[1 : len(s)-1], at + 1, negated, nil
}

// pattern decodes the text of a content keyword: bytes as they stand, |hex| and \" \; \: \\.
func pattern(text string) ([]byte, error) {
	var out []byte
	hex, high := false, -1
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '|' {
			if high >= 0 {
				return nil, fmt.Errorf("half a byte stands before the | at %d", i)
			}
			hex = !hex
			continue
		}
		if hex {
			if c == ' ' {
				continue
			}
			n := strings.IndexByte("0123456789abcdef", c|0x20)
			if n < 0 {
				return nil, fmt.Errorf("%q is no hexadecimal digit", c)
			}
			if high < 0 {
				high = n
			} else {
				out = append(out, byte(high<<4|n))
				high = -1
			}
			continue
		}
		if c == '\\' {
			if i+1 == len(text) {
				return nil, fmt.Errorf("the backslash at the end escapes nothing")
			}
			i++
			switch c = text[i]; c {
			case '"', ';', ':', '\\':
			default:
				return nil, fmt.Errorf("\\%c is no escape; \\\" \\; \\: \\\\ are, other bytes are written |hex|", c)
			}
		} else if c == '"' {
			return nil, fmt.Errorf("a quote inside a pattern is written \\\" or |22|")
		}
		out = append(out, c)
	}
	if hex {
		return nil, fmt.Errorf("a | is missing: |hex| is not closed")
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the pattern is empty")
	}
	if len(out) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes, at most %d are possible", len(out), maxPattern)
	}
	return out, nil
}

// maxPattern is the longest content.
const maxPattern = 255 * 16
