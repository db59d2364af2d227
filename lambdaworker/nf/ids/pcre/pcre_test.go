package pcre

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		expr       string
		flags      Flags
		data       string
		start, end int // -1 for no match
	}{
		{"abc", Flags{}, "xxabcxx", 2, 5},
		{"a+?", Flags{}, "aaa", 0, 1},
		{"a+", Flags{Ungreedy: true}, "aaa", 0, 1},
		{"ABC", Flags{NoCase: true}, "xabc", 1, 4},
		{`\xff\x00`, Flags{}, "a\xff\x00", 1, 3},
		{"\xe9", Flags{NoCase: true}, "\xc9\xe9", 1, 2},
		{`[\x80-\xff]{2}`, Flags{}, "ab\x80\xfez", 2, 4},
		{`[^a]`, Flags{}, "a\xc3", 1, 2},
		{`a.c`, Flags{}, "a\nc", -1, -1},
		{`a.c`, Flags{DotAll: true}, "a\nc", 0, 3},
		{`^b`, Flags{}, "a\nb", -1, -1},
		{`^b`, Flags{MultiLine: true}, "a\nb", 2, 3},
		{`a$`, Flags{}, "a\n", 0, 1},
		{`a$`, Flags{DollarEnd: true}, "a\n", -1, -1},
		{`b`, Flags{Anchored: true}, "ab", -1, -1},
		{` a b # c`, Flags{Extended: true}, "xab", 1, 3},
		{`\s`, Flags{}, "a\x0b", 1, 2},
		{`[\w-.]+`, Flags{}, "!a-b.c!", 1, 6},
		{`[]a]+`, Flags{}, "x]a", 1, 3},
		{`a{2,3}`, Flags{}, "aaaa", 0, 3},
		{`x{,3}`, Flags{}, "x{,3}", 0, 5},
		{`(?i)ab(?-i)C`, Flags{}, "AbC", 0, 3},
		{`(?P<n>a)(?<m>b)`, Flags{}, "ab", 0, 2},
		{`a|ab`, Flags{}, "ab", 0, 1},
		{`\bfoo\b`, Flags{}, "a foo.", 2, 5},
		{`\/a\-b\_`, Flags{}, "/a-b_", 0, 5},
		{`\x41\x4`, Flags{}, "A\x04", 0, 2},
		{`\Qa.b\E+`, Flags{}, "a.bb", 0, 4},
		{`[^\x00-\x7f]`, Flags{}, "abc\x90", 3, 4},
		{``, Flags{}, "", 0, 0},
	} {
		r, err := Compile(c.expr, c.flags)
		if err != nil {
			t.Errorf("%q: %v", c.expr, err)
			continue
		}
		s, e, ok := find(r, []byte(c.data))
		if !ok {
			s, e = -1, -1
		}
		if s != c.start || e != c.end {
			t.Errorf("%q on %q: %d-%d, want %d-%d", c.expr, c.data, s, e, c.start, c.end)
		}
	}
}

func TestLargeCounts(t *testing.T) {
	for expr, want := range map[string]bool{`^a{1500}$`: true, `^[a-c]{1100,}$`: true, `^a{1200,1400}$`: false, `^a{1501}`: false, `^a{1,1500}?$`: true} {
		r, err := Compile(expr, Flags{})
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 1500)
		for i := range data {
			data[i] = 'a'
		}
		if _, _, ok := find(r, data); ok != want {
			t.Errorf("%s: %v", expr, ok)
		}
	}
}

func TestRefused(t *testing.T) {
	for expr, want := range map[string]error{`\Ka`: ErrConstruct, `(?R)`: ErrConstruct, `(?(1)a|b)`: ErrConstruct} {
		if _, err := Compile(expr, Flags{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", expr, err, want)
		}
	}
	for _, expr := range []string{`(`, `)`, `[a`, `*a`, `a\`, `[b-a]`, `a{3,2}`, `\1`, `(?P=x)`, `(?<=a+)b`, `(?=`, `\g{`, `a(?P<x>b)\k<y>`} {
		if _, err := Compile(expr, Flags{}); err == nil {
			t.Errorf("%s compiled", expr)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	r, err := Compile(`(foo|ba[rz])+\d{1,3}$`, Flags{NoCase: true})
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(r.Size())
	m.Prepare([]*Regexp{r})
	data := []byte("some text FOObarbaz123")
	left := plenty
	if n := testing.AllocsPerRun(100, func() { left = plenty; m.Match(r, data, 0, &left); m.Exists(r, data, 0, &left) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAgainstStandardLibrary compares with package regexp where both read an expression over ASCII alike.
func FuzzAgainstStandardLibrary(f *testing.F) {
	f.Add("a(b|c)*d", "xabcbd")
	f.Add(`[a-c]+?x`, "abcx")
	f.Add(`^a{2,5}b`, "aaab")
	f.Fuzz(func(t *testing.T, expr, data string) {
		if len(expr) > 100 || len(data) > 1000 {
			return
		}
		for i := range len(data) {
			if data[i] >= 0x80 || data[i] == '\n' || data[i] == '\v' {
				return
			}
		}
		r, err := Compile(expr, Flags{})
		if err != nil {
			return
		}
		for i := range len(expr) {
			if c := expr[i]; c >= 0x80 || c < ' ' || c == '\\' || c == '$' || c == '{' || c == '[' {
				find(r, []byte(data))
				return
			}
		}
		std, err := regexp.Compile(expr)
		if err != nil {
			return
		}
		s, e, ok := find(r, []byte(data))
		want := std.FindStringIndex(data)
		if ok != (want != nil) || ok && (s != want[0] || e != want[1]) {
			t.Errorf("%q on %q: %d-%d %v, want %v", expr, data, s, e, ok, want)
		}
	})
}

// plenty are more ticks than a test needs.
const plenty = 1 << 40

// find looks for r with threads and with the automaton, which must agree.
func find(r *Regexp, data []byte) (start, end int, ok bool) {
	m := NewMachine(r.Size())
	m.Prepare([]*Regexp{r})
	left := plenty
	start, end, ok = m.Match(r, data, 0, &left)
	for range 2 { // the second time with the states there
		if m.Exists(r, data, 0, &left) != ok {
			panic(fmt.Sprintf("threads say %v, the automaton %v", ok, !ok))
		}
	}
	for from := range len(data) + 1 {
		if _, _, ok := m.Match(r, data, from, &left); m.Exists(r, data, from, &left) != ok {
			panic(fmt.Sprintf("from %d threads say %v, the automaton %v", from, ok, !ok))
		}
	}
	return start, end, ok
}
