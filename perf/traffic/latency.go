package traffic

import (
	"math/bits"
	"time"
)

// Latency is a histogram of durations, within 2 % of each, from nanoseconds to a minute. The zero value is empty.
type Latency struct {
	buckets  [latencyBuckets]uint64
	count    uint64
	sum      time.Duration
	min, max time.Duration
}

const (
	latencyBits    = 6 // 64 steps for each power of two
	latencyBuckets = (37 - latencyBits) << latencyBits
)

// Add counts one duration; what is below zero counts as zero.
func (l *Latency) Add(d time.Duration) {
	d = max(d, 0)
	if l.count == 0 || d < l.min {
		l.min = d
	}
	l.max = max(l.max, d)
	l.count++
	l.sum += d
	l.buckets[latencyBucket(uint64(d))]++
}

func latencyBucket(v uint64) int {
	if v < 1<<latencyBits {
		return int(v)
	}
	shift := bits.Len64(v) - latencyBits - 1
	return min((shift+1)<<latencyBits+int(v>>shift)-1<<latencyBits, latencyBuckets-1)
}

// bucketTop is the largest value in bucket i.
func bucketTop(i int) uint64 {
	if i < 1<<latencyBits {
		return uint64(i)
	}
	shift := i>>latencyBits - 1
	return uint64(i&(1<<latencyBits-1)|1<<latencyBits)<<shift + 1<<shift - 1
}

// Merge adds all of m.
func (l *Latency) Merge(m *Latency) {
	if m.count == 0 {
		return
	}
	if l.count == 0 || m.min < l.min {
		l.min = m.min
	}
	l.max = max(l.max, m.max)
	l.count += m.count
	l.sum += m.sum
	for i, n := range m.buckets {
		l.buckets[i] += n
	}
}

// Count returns how many durations there are.
func (l *Latency) Count() uint64 { return l.count }

// Mean returns their mean; 0 if there is none.
func (l *Latency) Mean() time.Duration {
	if l.count == 0 {
		return 0
	}
	return l.sum / time.Duration(l.count)
}

// Min and Max are exact.
func (l *Latency) Min() time.Duration { return l.min }

// Max returns the longest.
func (l *Latency) Max() time.Duration { return l.max }

// Percentile returns the duration that p percent are not above; 0 if there is none.
func (l *Latency) Percentile(p float64) time.Duration {
	rank := uint64(float64(l.count)*p/100 + 0.5)
	for i, n := range l.buckets {
		if n > 0 && rank <= n {
			return min(max(time.Duration(bucketTop(i)), l.min), l.max)
		}
		rank -= n
	}
	return l.max
}
