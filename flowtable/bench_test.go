package flowtable

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
)

// Each operation is one flow looked up. Keys come in random order, so beyond the caches each costs memory's latency; the burst hides part of it.
func BenchmarkLookup(b *testing.B) {
	for _, flows := range []int{1_000, 1 << 20} {
		tab := New(Config{Flows: flows, Seed: 1})
		keys := make([]packet.Key, flows)
		for i := range keys {
			keys[i] = *key(uint64(i))
			tab.Get(&keys[i], 0)
		}
		rand.New(rand.NewPCG(1, 1)).Shuffle(flows, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.Run(fmt.Sprintf("hit/flows=%d", flows), func(b *testing.B) {
			for i, at := 0, 0; i < b.N; i++ {
				tab.Get(&keys[at], 1)
				if at++; at == flows {
					at = 0
				}
			}
		})
		b.Run(fmt.Sprintf("hit-burst/flows=%d", flows), func(b *testing.B) {
			var hashes [MaxBurst]uint64
			for i, at := 0, 0; i < b.N; i += MaxBurst {
				getBurst(tab, keys[at:at+MaxBurst], 1, hashes[:], func(int, uint32, bool) {})
				if at += MaxBurst; at+MaxBurst > flows {
					at = 0
				}
			}
		})
		b.Run(fmt.Sprintf("miss/flows=%d", flows), func(b *testing.B) {
			for i := range b.N {
				tab.Find(key(uint64(i) + 1<<40))
			}
		})
		b.Run(fmt.Sprintf("churn/flows=%d", flows), func(b *testing.B) {
			tab := New(Config{Flows: flows, Seed: 1})
			for i := range b.N {
				tab.Get(key(uint64(i)), int64(i))
			}
		})
	}
}
