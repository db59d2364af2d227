package pcre

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of Compile.
var (
	ErrConstruct = errors.New("construct is not supported")
	ErrTooLarge  = errors.New("the expression is too large once its counts are written out")
)

// errGoesBack: the expression needs the engine that goes back.
var errGoesBack = errors.New("lookaround, a backreference or an atomic group")

// translator writes a PCRE in the syntax of regexp/syntax. Bytes of 0x80 and more become the character of that number.
type translator struct {
	in       string
	at       int
	out      strings.Builder
	extended bool
	atom     int   // where in out the last atom starts, -1 if there is none to repeat
	groups   []int // where open groups start in out
	dollar   bool  // there is a $ that may stand before a final newline
	bare     bool  // no $ may: flag E or m

	back   bool           // lookaround, references and atomic groups are written as groups with names
	count  int            // of groups of the expression
	unique int            // of names
	names  map[string]int // numbers of its named groups
}

// maxExpression bounds what writing out large counts may make of an expression.
const maxExpression = 64 << 10

func (t *translator) run() (string, error) {
	t.atom = -1
	for t.at < len(t.in) {
		if t.out.Len() > maxExpression {
			return "", ErrTooLarge
		}
		if err := t.step(); err != nil {
			return "", err
		}
	}
	if len(t.groups) > 0 {
		return "", errors.New("a closing bracket is missing")
	}
	return t.out.String(), nil
}

func (t *translator) step() error {
	c := t.in[t.at]
	switch {
	case c == '\\':
		return t.escape()
	case c == '[':
		return t.class()
	case c == '(':
		return t.open()
	case c == ')':
		if len(t.groups) == 0 {
			return errors.New("a closing bracket has no opening one")
		}
		t.atom = t.groups[len(t.groups)-1]
		t.groups = t.groups[:len(t.groups)-1]
		t.out.WriteByte(')')
		t.at++
	case c == '*' || c == '+' || c == '?':
		return t.quantifier(string(c), t.at+1)
	case c == '{':
		if end := count(t.in[t.at:]); end > 0 {
			return t.repeat(end)
		}
		t.literal('{')
		t.at++
	case c == '|':
		t.out.WriteByte('|')
		t.atom = -1
		t.at++
	case c == '^':
		t.out.WriteByte('^')
		t.atom = -1
		t.at++
	case c == '$':
		if !t.bare {
			t.dollar = true
		}
		t.out.WriteByte('$')
		t.atom = -1
		t.at++
	case c == '.':
		t.atom = t.out.Len()
		t.out.WriteByte('.')
		t.at++
	case t.extended && strings.IndexByte(" \t\r\n\v\f", c) >= 0:
		t.at++
	case t.extended && c == '#':
		for t.at < len(t.in) && t.in[t.at] != '\n' {
			t.at++
		}
	default:
		t.literal(c)
		t.at++
	}
	return nil
}

func (t *translator) literal(c byte) {
	t.atom = t.out.Len()
	if c >= 0x80 {
		fmt.Fprintf(&t.out, `(?-i:\x%02x)`, c) // no locale: only ASCII has case
		return
	}
	t.char(c)
}

func (t *translator) char(c byte) {
	if c < 0x80 && (c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == ' ' || c == '_') {
		t.out.WriteByte(c)
		return
	}
	fmt.Fprintf(&t.out, `\x%02x`, c)
}

// count returns the length of a {n}, {n,} or {n,m} that s begins with, else 0.
func count(s string) int {
	end := strings.IndexByte(s, '}')
	if end < 2 {
		return 0
	}
	lo, hi, _ := strings.Cut(s[1:end], ",")
	if _, err := strconv.ParseUint(lo, 10, 31); err != nil {
		return 0
	}
	if _, err := strconv.ParseUint(hi, 10, 31); err != nil && hi != "" {
		return 0
	}
	return end + 1
}

// quantifier writes q behind the last atom. next is where the input goes on.
func (t *translator) quantifier(q string, next int) error {
	if t.atom < 0 {
		return fmt.Errorf("%s repeats nothing", q)
	}
	t.out.WriteString(q)
	t.at = next
	return t.suffix()
}

// suffix reads what may stand behind a quantifier: ? for the shortest match; + for possessive.
func (t *translator) suffix() error {
	if t.at < len(t.in) {
		switch t.in[t.at] {
		case '?':
			t.out.WriteByte('?')
			t.at++
		case '+':
			if !t.back {
				return errGoesBack
			}
			all := t.out.String()
			t.out.Reset()
			t.out.WriteString(all[:t.atom] + t.special('t', "") + all[t.atom:] + ")")
			t.at++
		}
	}
	// The whole, quantifier included, can't be repeated again without brackets.
	t.atom = -1
	return nil
}

// repeat writes {n,m}. Counts above what regexp/syntax takes are written out as a sequence.
func (t *translator) repeat(size int) error {
	const most = 1000
	text := t.in[t.at+1 : t.at+size-1]
	lo, hi, ranged := strings.Cut(text, ",")
	n, _ := strconv.Atoi(lo)
	m := n
	if ranged {
		m = -1
		if hi != "" {
			m, _ = strconv.Atoi(hi)
		}
	}
	if m >= 0 && m < n {
		return fmt.Errorf("{%s}: the numbers are out of order", text)
	}
	if n <= most && m <= most || t.back {
		return t.quantifier("{"+text+"}", t.at+size)
	}
	if t.atom < 0 {
		return fmt.Errorf("{%s} repeats nothing", text)
	}
	if max(n, m) > 20*most {
		return ErrTooLarge
	}
	atom := t.out.String()[t.atom:]
	head := t.out.String()[:t.atom]
	lazy := t.at+size < len(t.in) && t.in[t.at+size] == '?'
	var b strings.Builder
	b.WriteString("(?:")
	for ; n > 0; n -= most {
		fmt.Fprintf(&b, "%s{%d}", atom, min(n, most))
		if m >= 0 {
			m -= min(n, most)
		}
	}
	tail := ""
	if lazy {
		tail = "?"
	}
	if m < 0 {
		b.WriteString(atom + "*" + tail)
	}
	for ; m > 0; m -= most {
		fmt.Fprintf(&b, "%s{0,%d}%s", atom, min(m, most), tail)
	}
	b.WriteString(")")
	t.out.Reset()
	t.out.WriteString(head)
	t.out.WriteString(b.String())
	t.at += size
	if lazy {
		t.at++
	}
	t.atom = -1
	return nil
}

// open reads the beginning of a group.
func (t *translator) open() error {
	rest := t.in[t.at:]
	start := t.out.Len()
	switch {
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errors.New("a comment is not closed")
		}
		t.at += end + 1
		return nil
	case special(rest) != 0:
		if !t.back {
			return errGoesBack
		}
		t.out.WriteString(t.special(special(rest), ""))
		t.at += 3
		if rest[2] == '<' {
			t.at++
		}
	case strings.HasPrefix(rest, "(?P="):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errors.New("a reference is not closed")
		}
		return t.reference(rest[4:end], t.at+end+1)
	case strings.HasPrefix(rest, "(?P<"), strings.HasPrefix(rest, "(?<"), strings.HasPrefix(rest, "(?'"):
		end := strings.IndexAny(rest[4:], ">'")
		if end < 0 {
			return errors.New("the name of a group is not closed")
		}
		name := rest[3 : 4+end]
		if rest[2] == 'P' {
			name = name[1:]
		}
		t.plain(name)
		t.at += 4 + end + 1
	case strings.HasPrefix(rest, "(?"):
		return t.flags(start)
	case strings.HasPrefix(rest, "(*"):
		return fmt.Errorf("%w: %.8s", ErrConstruct, rest)
	default:
		t.plain("")
		t.at++
	}
	t.groups = append(t.groups, start)
	t.atom = -1
	return nil
}

// flags reads (?flags) and (?flags:...).
func (t *translator) flags(start int) error {
	rest := t.in[t.at:]
	i := 2
	var keep strings.Builder
	for ; i < len(rest) && rest[i] != ':' && rest[i] != ')'; i++ {
		switch rest[i] {
		case 'i', 's', 'm', '-':
			keep.WriteByte(rest[i])
		case 'x':
			t.extended = !strings.Contains(rest[:i], "-")
		case 'U':
			keep.WriteByte('U')
		default:
			return fmt.Errorf("%w: (?%c", ErrConstruct, rest[i])
		}
	}
	if i == len(rest) {
		return errors.New("a group is not closed")
	}
	f := strings.TrimSuffix(keep.String(), "-")
	t.atom = -1
	t.at += i + 1
	if rest[i] == ')' {
		if f != "" {
			t.out.WriteString("(?" + f + ")")
		}
		return nil
	}
	t.out.WriteString("(?" + f + ":")
	t.groups = append(t.groups, start)
	return nil
}

// special returns the kind of a group that s begins with and that is more than brackets, 0 for others.
func special(s string) byte {
	for _, k := range [...]struct {
		text string
		kind byte
	}{{"(?=", 'a'}, {"(?!", 'n'}, {"(?<=", 'b'}, {"(?<!", 'm'}, {"(?>", 't'}} {
		if strings.HasPrefix(s, k.text) {
			return k.kind
		}
	}
	return 0
}

// special writes the beginning of a group of a kind, with a name that no other has.
func (t *translator) special(kind byte, number string) string {
	t.unique++
	return fmt.Sprintf("(?P<%c%s_%d>", kind, number, t.unique)
}

// plain writes the beginning of a group, which may have a name.
func (t *translator) plain(name string) {
	t.count++
	if !t.back {
		t.out.WriteByte('(')
		return
	}
	if name != "" {
		t.names[name] = t.count
	}
	fmt.Fprintf(&t.out, "(?P<g%d>", t.count)
}

// reference writes what stands for the text of a group, by its number or name. next is where the input goes on.
func (t *translator) reference(to string, next int) error {
	if !t.back {
		return errGoesBack
	}
	n, err := strconv.Atoi(to)
	if err != nil {
		known := false
		if n, known = t.names[to]; !known {
			return fmt.Errorf("there is no group %q to refer to", to)
		}
	}
	if n < 0 {
		n += t.count + 1
	}
	t.atom = t.out.Len()
	t.out.WriteString(t.special('r', strconv.Itoa(n)) + ")")
	t.at = next
	return nil
}
