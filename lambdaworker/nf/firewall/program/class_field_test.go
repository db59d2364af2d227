package program

import (
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// An IPv4 field that searches finds the classes that one with blocks finds: at every edge, beside it, and anywhere.
func TestSearchFindsWhatBlocksFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		var values ruleset.Spans
		for range 1 + rng.IntN(400) {
			lo := uint64(rng.Uint32()) >> rng.IntN(20)
			if rng.IntN(10) == 0 {
				lo = []uint64{0, 1<<32 - 1, 0xffff0000, 0xfffeffff, 0x10000}[rng.IntN(5)]
			}
			hi := min(lo+uint64(rng.IntN(1<<rng.IntN(20)+1)), 1<<32-1)
			values = append(values, ruleset.Span{Lo: ruleset.Num(lo), Hi: ruleset.Num(hi)})
		}
		values = values.Normal()
		l, _ := arrange([]extent{{0, 2}}, make([]ruleKey, 2))
		constraints := []constraint{{0, values}, {1, values[:len(values)/2]}}
		blocks := newAddr4Field(&l, constraints)
		part, _, _ := l.classes(constraints, ruleset.Ones(32))
		search := newAddr4Field(&l, constraints)
		search.search(part)
		check := func(a uint32) {
			if b, s := blocks.lookup(a), search.lookup(a); b != s {
				t.Fatalf("round %d: class of %x is %d, the search finds %d", round, a, b, s)
			}
		}
		for _, f := range part.from {
			for d := range uint32(5) {
				check(uint32(f.Lo) + d - 2)
			}
		}
		for range 2000 {
			check(rng.Uint32())
		}
	}
}
