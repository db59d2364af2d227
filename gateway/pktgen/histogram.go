package pktgen

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of at most 1/32 of their value, from 1 ns to hours, without an allocation.
type histogram struct {
	buckets  [64 * 32]uint64
	count    uint64
	sum      int64
	min, max int64
}

func bucket(ns int64) int {
	if ns < 32 {
		return int(max(ns, 0))
	}
	shift := bits.Len64(uint64(ns)) - 6 // leaves 32 to 63
	return (shift+1)*32 + int(ns>>shift) - 32
}

// upper is the longest duration that falls in bucket b.
func upper(b int) int64 {
	if b < 32 {
		return int64(b)
	}
	shift := b/32 - 1
	return (int64(b%32+32)+1)<<shift - 1
}

func (h *histogram) add(ns int64) {
	if h.count == 0 || ns < h.min {
		h.min = ns
	}
	h.max = max(h.max, ns)
	h.count++
	h.sum += ns
	h.buckets[bucket(ns)]++
}

// quantile returns the duration that a share q of all are not longer than: right to 1/32 of its value, and never above the longest.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.count))
	var seen uint64
	for b, n := range h.buckets {
		if seen += n; seen > rank || seen == h.count && n > 0 {
			return time.Duration(min(upper(b), h.max))
		}
	}
	return 0
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / int64(h.count))
}
