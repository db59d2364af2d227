package pcre

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// escape reads a backslash and what follows outside of a class.
func (t *translator) escape() error {
	if t.at+1 >= len(t.in) {
		return errors.New("the backslash at the end escapes nothing")
	}
	c := t.in[t.at+1]
	switch c {
	case 'A', 'b', 'B', 'z':
		t.out.WriteString(`\` + string(c))
		t.atom = -1
		t.at += 2
		return nil
	case 'Z':
		t.dollar = true
		t.out.WriteString(`\z`)
		t.atom = -1
		t.at += 2
		return nil
	case 'Q':
		end := strings.Index(t.in[t.at:], `\E`)
		text := t.in[t.at+2:]
		next := len(t.in)
		if end >= 0 {
			text, next = t.in[t.at+2:t.at+end], t.at+end+2
		}
		for i := range len(text) {
			t.literal(text[i])
		}
		t.at = next
		return nil
	case 'E':
		t.at += 2
		return nil
	case 'G', 'K', 'R', 'X', 'C', 'p', 'P', 'g', 'k', 'N':
		if c == 'g' || c == 'k' {
			return t.escapedReference()
		}
		if c == 'N' {
			t.atom = t.out.Len()
			t.out.WriteString(`[^\n]`)
			t.at += 2
			return nil
		}
		return fmt.Errorf("%w: \\%c", ErrConstruct, c)
	}
	if c >= '1' && c <= '9' && (t.at+2 >= len(t.in) || t.in[t.at+2] < '0' || t.in[t.at+2] > '7' || c > '7') {
		end := t.at + 2
		if end < len(t.in) && t.in[end] >= '0' && t.in[end] <= '9' {
			end++
		}
		return t.reference(t.in[t.at+1:end], end)
	}
	if set, ok := sets[c]; ok {
		t.atom = t.out.Len()
		t.out.WriteString("[" + set + "]")
		t.at += 2
		return nil
	}
	b, size, err := char(t.in[t.at:])
	if err != nil {
		return err
	}
	t.literal(b)
	t.at += size
	return nil
}

// escapedReference reads \g1, \g{1}, \g{-1}, \g{name}, \k<name>, \k{name} and \k'name'.
func (t *translator) escapedReference() error {
	rest := t.in[t.at+2:]
	if rest == "" {
		return errors.New("a reference names no group")
	}
	if i := strings.IndexByte("{<'", rest[0]); i >= 0 {
		end := strings.IndexByte(rest[1:], "}>'"[i])
		if end < 0 || t.in[t.at+1] == 'g' && i > 0 {
			return fmt.Errorf("%w: %.8s", ErrConstruct, t.in[t.at:])
		}
		return t.reference(rest[1:1+end], t.at+2+end+2)
	}
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	if n == 0 || t.in[t.at+1] == 'k' {
		return fmt.Errorf("%w: %.8s", ErrConstruct, t.in[t.at:])
	}
	return t.reference(rest[:n], t.at+2+n)
}

// sets are the class escapes, by the members of a class. \s has the vertical tab, unlike Go's.
var sets = map[byte]string{
	'd': `0-9`, 'w': `0-9A-Za-z_`, 's': `\t\n\v\f\r `, 'h': `\t \xa0`, 'v': `\n\v\f\r\x85`,
	'D': `\x00-/:-\x{ff}`, 'W': "\\x00-/:-@\\[-\\^`{-\\x{ff}", 'S': `\x00-\x08\x0e-\x1f!-\x{ff}`, 'H': `\x00-\x08\x0a-\x1f!-\x9f\xa1-\x{ff}`,
	'V': `\x00-\x09\x0e-\x84\x86-\x{ff}`,
}

// char reads an escape that stands for one byte.
func char(s string) (b byte, size int, err error) {
	switch c := s[1]; c {
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'a':
		return 7, 2, nil
	case 'e':
		return 27, 2, nil
	case 'c':
		if len(s) > 2 {
			return (s[2] &^ 0x20) ^ 0x40, 3, nil
		}
		return 0, 0, errors.New(`\c escapes nothing`)
	case 'x':
		return hexChar(s)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := 1
		for n < 4 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(s[1:n], 8, 16)
		return byte(v), n, nil
	default:
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return 0, 0, fmt.Errorf("%w: \\%c", ErrConstruct, c)
		}
		return c, 2, nil
	}
}

func hexChar(s string) (byte, int, error) {
	if len(s) > 2 && s[2] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, 0, errors.New(`\x{ is not closed`)
		}
		v, err := strconv.ParseUint(s[3:end], 16, 32)
		if err != nil || v > 255 {
			return 0, 0, fmt.Errorf("%s is no byte", s[:end+1])
		}
		return byte(v), end + 1, nil
	}
	n := 2
	for n < 4 && n < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0 {
		n++
	}
	v, _ := strconv.ParseUint("0"+s[2:n], 16, 16)
	return byte(v), n, nil
}

// class reads [...], whose members are written out so that regexp/syntax and PCRE agree on them.
func (t *translator) class() error {
	t.atom = t.out.Len()
	i := t.at + 1
	t.out.WriteByte('[')
	if i < len(t.in) && t.in[i] == '^' {
		t.out.WriteByte('^')
		i++
	}
	for first := true; ; first = false {
		if i >= len(t.in) {
			return errors.New("a class is not closed: ] is missing")
		}
		if t.in[i] == ']' && !first {
			break
		}
		if strings.HasPrefix(t.in[i:], "[:") {
			if end := strings.Index(t.in[i:], ":]"); end > 0 {
				t.out.WriteString(t.in[i : i+end+2])
				i += end + 2
				continue
			}
		}
		lo, set, size, err := t.member(i)
		if err != nil {
			return err
		}
		i += size
		if set != "" {
			t.out.WriteString(set)
			continue
		}
		// A range, unless the '-' is the last member or a class escape follows it.
		if i+1 < len(t.in) && t.in[i] == '-' && t.in[i+1] != ']' {
			hi, set, size, err := t.member(i + 1)
			if err != nil {
				return err
			}
			if set == "" {
				if hi < lo {
					return fmt.Errorf("the range in the class from %q to %q is out of order", lo, hi)
				}
				t.char(lo)
				t.out.WriteByte('-')
				t.char(hi)
				i += 1 + size
				continue
			}
		}
		t.char(lo)
	}
	t.out.WriteByte(']')
	t.at = i + 1
	return nil
}

// member reads one member of a class: a byte or a set.
func (t *translator) member(i int) (b byte, set string, size int, err error) {
	c := t.in[i]
	if c != '\\' {
		return c, "", 1, nil
	}
	if i+1 >= len(t.in) {
		return 0, "", 0, errors.New("the backslash at the end escapes nothing")
	}
	if set, ok := sets[t.in[i+1]]; ok {
		return 0, set, 2, nil
	}
	if t.in[i+1] == 'b' {
		return 8, "", 2, nil
	}
	if t.in[i+1] == 'Q' || t.in[i+1] == 'E' {
		return 0, "", 0, fmt.Errorf("%w: \\%c in a class", ErrConstruct, t.in[i+1])
	}
	b, size, err = char(t.in[i:])
	return b, "", size, err
}
