package pktgen

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantilesAgainstSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		var h histogram
		all := make([]int64, 1+r.IntN(5000))
		for i := range all {
			all[i] = int64(r.ExpFloat64() * 1e5)
			h.add(all[i])
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999} {
			want := all[min(len(all)-1, int(q*float64(len(all))))]
			got := int64(h.quantile(q))
			if got < want || got > want+want/32+1 {
				t.Fatalf("quantile %g of %d: got %d, want %d to %d", q, len(all), got, want, want+want/32+1)
			}
		}
		if h.min != all[0] || h.max != all[len(all)-1] {
			t.Errorf("min %d max %d, want %d %d", h.min, h.max, all[0], all[len(all)-1])
		}
	}
}

func TestBucketsAreInOrder(t *testing.T) {
	last := -1
	for ns := int64(0); ns < 1<<40; ns += 1 + ns/100 {
		b := bucket(ns)
		if b < last || upper(b) < ns || b > 0 && upper(b-1) >= ns {
			t.Fatalf("%d ns: bucket %d up to %d, after bucket %d", ns, b, upper(b), last)
		}
		last = b
	}
}
