package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// words are what contents of rules are made of, and what pages are full of as well.
var words = strings.Fields("admin login upload shell config backup setup update check gate panel report stat image script query token session user cmd exec load data file index view post send recv proxy agent loader bot mail bank secure verify account")

func contents(n int) []Pattern {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	ps := make([]Pattern, n)
	for i := range ps {
		var b strings.Builder
		for b.Len() < 4+r.IntN(20) {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteString([]string{"/", "-", "_", ".", "=", ""}[r.IntN(6)])
			fmt.Fprint(&b, r.IntN(100))
		}
		ps[i] = Pattern{[]byte(b.String()), r.IntN(2) == 0}
	}
	return ps
}

// BenchmarkScan: pages and noise in pieces of the size that streams are looked at in, for groups as rule files have them.
func BenchmarkScan(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	var page strings.Builder
	for page.Len() < 24<<10 {
		fmt.Fprintf(&page, "<div class=\"item-%d\"><a href=\"/news/%d.html\">The quick brown fox number %d jumps over the lazy dog</a></div>\r\n", r.IntN(99), r.IntN(9999), r.IntN(99))
	}
	noise := make([]byte, 24<<10)
	for i := range noise {
		noise[i] = byte(r.UintN(256))
	}
	for _, n := range []int{20, 280, 1400, 5000} {
		s := New(contents(n))
		seen, hits := NewSeen(n), make([]uint32, 0, n)
		for name, data := range map[string][]byte{"page": []byte(page.String()), "noise": noise} {
			b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					for at := 0; at < len(data); at += 2800 {
						hits = s.Scan(data[at:min(at+2800, len(data))], seen, hits[:0])
					}
				}
			})
		}
	}
}
