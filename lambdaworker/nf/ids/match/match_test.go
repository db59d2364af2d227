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
	for round := range 400 {
		alphabet := []string{"abAB", "aA\x00`@{[", "abcdefghijKLMNOP\r\n:/ "}[round%3]
		ps := make([]Pattern, 1+r.IntN(60))
		for i := range ps {
			ps[i] = Pattern{random(r, 1+r.IntN(12), alphabet), r.IntN(2) == 0}
		}
		s := New(ps)
		seen := NewSeen(s.Len())
		for range 20 {
			data := random(r, r.IntN(80), alphabet)
			got := s.Scan(data, seen, nil)
			slices.Sort(got)
			if want := naive(ps, data); !slices.Equal(got, want) {
				t.Fatalf("%q: %v, want %v of %v", data, got, want, ps)
			}
		}
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
		if got, want := Find(data, p, true), bytes.Index(lower(data), p); got != want {
			t.Fatalf("%q in %q: %d, want %d", p, data, got, want)
		}
		if got, want := Find(data, p, false), bytes.Index(data, p); got != want {
			t.Fatalf("%q in %q: %d, want %d", p, data, got, want)
		}
	}
}
