package match

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive is the model: every pattern is looked for by itself.
func naive(ps []Pattern, data []byte) (hits []uint32) {
	for i, p := range ps {
		d, q := data, p.Bytes
		if p.NoCase {
			d, q = lower(d), lower(q)
		}
		if bytes.Contains(d, q) {
			hits = append(hits, uint32(i))
		}
	}
	return hits
}

func random(r *rand.Rand, n int, alphabet string) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return b
}

func TestScanAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	steps := map[int]int{}
	for round := range 400 {
		alphabet := []string{"abAB", "aA\x00`@{[", "abcdefghijKLMNOP\r\n:/ "}[round%3]
		ps := make([]Pattern, 1+r.IntN(60))
		shortest := []int{1, 3, 5, 7}[round/3%4] // what lengths there are decides how it is looked for
		for i := range ps {
			ps[i] = Pattern{random(r, shortest+r.IntN(12), alphabet), r.IntN(2) == 0}
		}
		s := New(ps)
		steps[s.step]++
		seen := NewSeen(s.Len())
		for range 20 {
			data := random(r, r.IntN(80), alphabet)
			if len(data) > 20 && r.IntN(2) == 0 { // long ones are seldom met by chance
				p := ps[r.IntN(len(ps))].Bytes
				copy(data[r.IntN(len(data)-len(p)+1):], p)
			}
			got := s.Scan(data, seen, nil)
			slices.Sort(got)
			if want := naive(ps, data); !slices.Equal(got, want) {
				t.Fatalf("%q: %v, want %v of %v", data, got, want, ps)
			}
		}
	}
	if steps[2] < 50 || steps[4] < 50 {
		t.Errorf("sets by step: %v, each is to be tried", steps)
	}
}

// TestShortPatternsFillNoFilter: thousands of short patterns are looked for at every second byte.
func TestShortPatternsFillNoFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	ps := make([]Pattern, 2000)
	for i := range ps {
		ps[i] = Pattern{random(r, 5, "abcdefghijklmnopqrstuvwxyz0123456789"), false}
	}
	s := New(ps)
	if s.step != 2 || s.wild {
		t.Errorf("step %d, wild %v", s.step, s.wild)
	}
	data := slices.Concat(ps[1999].Bytes, ps[7].Bytes)
	if hits := s.Scan(data, NewSeen(len(ps)), nil); !slices.Contains(hits, 1999) || !slices.Contains(hits, 7) {
		t.Errorf("found %v", hits)
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	s := New([]Pattern{{[]byte("hello"), true}, {[]byte("ab"), false}, {[]byte("x"), false}})
	seen, hits := NewSeen(3), make([]uint32, 0, 3)
	data := []byte("say HELLO ab x say HELLO ab x")
	if n := testing.AllocsPerRun(100, func() { hits = s.Scan(data, seen, hits[:0]) }); n != 0 || len(hits) != 3 {
		t.Errorf("%v allocations, %d hits", n, len(hits))
	}
}

func TestFind(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		data, p := random(r, r.IntN(30), "abAB-"), random(r, 1+r.IntN(4), "ab-")
		if got, want := at(data, p, true), bytes.Index(lower(data), p); got != want {
			t.Fatalf("%q in %q: %d, want %d", p, data, got, want)
		}
		if got, want := at(data, p, false), bytes.Index(data, p); got != want {
			t.Fatalf("%q in %q: %d, want %d", p, data, got, want)
		}
	}
}

func at(data, pattern []byte, noCase bool) int {
	i, _ := Find(data, pattern, noCase)
	return i
}
