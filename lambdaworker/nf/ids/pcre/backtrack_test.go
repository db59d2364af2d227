package pcre

import (
	"strings"
	"testing"
)

// TestGoingBack: what PCRE says of expressions with lookaround, references and atomic groups.
func TestGoingBack(t *testing.T) {
	for _, c := range []struct {
		expr       string
		flags      Flags
		data       string
		start, end int // -1, -1: no match
	}{
		{`a(?=b)`, Flags{}, "acab", 2, 3},
		{`a(?!b)`, Flags{}, "abac", 2, 3},
		{`(?<=a)b`, Flags{}, "bab", 2, 3},
		{`(?<!a)b`, Flags{}, "abcb", 3, 4},
		{`(?<=ab|c)d`, Flags{}, "adabdcd", 4, 5},
		{`(?<!^)b`, Flags{}, "bb", 1, 2},
		{`^((?!</x>).)+?y`, Flags{DotAll: true}, "ab</x>y", -1, -1},
		{`^((?!</x>).)+?y`, Flags{DotAll: true}, "ab</z>y", 0, 7},
		{`^(?:(?!</x>).)*z`, Flags{}, "aaz</x>", 0, 3},
		{`(a|b)\1`, Flags{}, "abba", 1, 3},
		{`(?P<q>[x"])(?P=q)?a`, Flags{}, `""a`, 0, 3},
		{`(?P<q>["'])[^"']*(?P=q)`, Flags{}, `"a' 'b'`, 2, 5},
		{`(ab)\g{1}c`, Flags{}, "ababc", 0, 5},
		{`(ab)\g{-1}c`, Flags{}, "ababc", 0, 5},
		{`(?<n>ab)\k<n>c`, Flags{}, "ababc", 0, 5},
		{`(ab)\1`, Flags{NoCase: true}, "abAB", 0, 4},
		{`(a)?\1b`, Flags{}, "b", -1, -1},
		{`(?>a+)ab`, Flags{}, "aaab", -1, -1},
		{`(?>a+)b`, Flags{}, "aaab", 0, 4},
		{`a++b`, Flags{}, "aab", 0, 3},
		{`(a|ab)++c`, Flags{}, "abc", -1, -1},
		{`"[^"]*+"`, Flags{}, `x"yz"`, 1, 5},
		{`(?=.*\d)(?=.*[a-z])[a-z0-9]{4}`, Flags{}, "--ab12", 2, 6},
		{`(?=[a-z]{0,3}[0-9])[a-z0-9]{4}$`, Flags{}, "--ab12", 2, 6},
		{`(?:a|b*)*c(?=d)`, Flags{}, "abacd", 0, 4},
		{`(a*)*(?!x)$`, Flags{}, "aaab", 4, 4},
		{`(?:(x)|y(?=z))+`, Flags{}, "xyz", 0, 2},
		{`((?!a)[a-c]){2}`, Flags{}, "abcb", 1, 3},
		{`(?P<f>[a-f0-9]{2})(?P<s>.)(?P<u>(?!(?P=f))[a-f0-9]{2})(?P=s)(?P=f)`, Flags{}, "aa:aa:aa bb:aa:bb", 9, 17},
		{`\bfoo(?!bar)\b`, Flags{}, "foobar foo", 7, 10},
		{`(?i)AB(?-i)c(?=d)`, Flags{}, "abcd", 0, 3},
	} {
		r, err := Compile(c.expr, c.flags)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if r.groups == nil {
			t.Errorf("%s does not go back", c.expr)
		}
		s, e, ok := find(r, []byte(c.data))
		if !ok {
			s, e = -1, -1
		}
		if s != c.start || e != c.end {
			t.Errorf("%s on %q: %d-%d, want %d-%d", c.expr, c.data, s, e, c.start, c.end)
		}
	}
}

// TestGoingBackIsBounded: what would take for ever takes what it is given.
func TestGoingBackIsBounded(t *testing.T) {
	for _, expr := range []string{`^(a+)+(?!.)b`, `^(?=(a|aa)+$)\1b`, `(?:a*)*(?=b)c`, `((a)|\2b)+?(?<!a)c`} {
		r, err := Compile(expr, Flags{})
		if err != nil {
			t.Fatal(err)
		}
		m := NewMachine(r.Size())
		m.Prepare([]*Regexp{r})
		data := []byte(strings.Repeat("a", 3000))
		left := 100_000
		if n := testing.AllocsPerRun(5, func() {
			left = 100_000
			m.Match(r, data, 0, &left)
		}); n != 0 {
			t.Errorf("%s: %v allocations", expr, n)
		}
		if left > 90_000 || left < -10_000 {
			t.Errorf("%s took %d of 100000 ticks", expr, 100_000-left)
		}
	}
}

// FuzzGoingBack compares with the threads: an atomic group around nothing changes nothing.
func FuzzGoingBack(f *testing.F) {
	f.Add("a(b|c)*d", "xabcbd")
	f.Add(`(a*)*b|c{2,3}?`, "aacc")
	f.Add(`^a{2,5}b\b`, "aaab")
	f.Fuzz(func(t *testing.T, expr, data string) {
		if len(expr) > 60 || len(data) > 100 {
			return
		}
		r, err := Compile(expr, Flags{})
		if err != nil {
			return
		}
		b, err := Compile("(?>)(?:"+expr+")", Flags{})
		m := NewMachine(r.Size())
		if err != nil {
			return
		}
		left := 1 << 20
		s, e, ok := m.Match(b, []byte(data), 0, &left)
		if left < 0 || r.groups != nil {
			return
		}
		left = plenty
		ws, we, wok := m.Match(r, []byte(data), 0, &left)
		if ok != wok || ok && (s != ws || e != we) {
			t.Errorf("%q on %q: %d-%d %v, threads say %d-%d %v", expr, data, s, e, ok, ws, we, wok)
		}
	})
}
