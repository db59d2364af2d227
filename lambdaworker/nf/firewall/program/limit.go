package program

import (
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/ruleset"
)

// Bucket is the token bucket of a `limit`. The kernel (net/netfilter/nft_limit.c) counts tokens in ns and fills the bucket
// by the time that passes; here the same bucket is one number, the time at which it was or will be empty:
// tokens(t) = min(size, t - empty).
type Bucket struct {
	empty int64 // ns since the Unix epoch
	last  int64 // time of the last packet
	size  int64 // ns: what a full bucket holds
	rate  int64 // packets or bytes in one period
	per   int64 // ns
	bytes bool
	over  bool

	used int64 // taken since the last delta
	from int64 // empty at the last delta
}

// NewBucket returns a full bucket of that limit.
func NewBucket(l *ruleset.Limit) Bucket {
	b := Bucket{rate: int64(l.Rate), per: int64(l.Period), bytes: l.Bytes, over: l.Over}
	if l.Bytes {
		b.size = scale(b.per, int64(l.Rate)+int64(l.Burst), b.rate)
	} else {
		b.size = b.per / b.rate * int64(l.Burst)
	}
	b.empty = bucketStart
	b.from = b.empty
	return b
}

// scale is a*b/c where a*b may pass 64 bits.
func scale(a, b, c int64) int64 {
	q, r := b/c, b%c
	if r < 1<<20 {
		return a*q + a/c*r + a%c*r/c
	}
	return a*q + int64(float64(a)*(float64(r)/float64(c)))
}

// Take asks for a packet of length bytes at time now and reports whether the rule matches.
func (b *Bucket) Take(now int64, length uint32) bool {
	cost := b.per / b.rate
	if b.bytes {
		cost = scale(b.per, int64(length), b.rate)
	}
	now = max(now, b.last) // captures may step back; a bucket does not
	b.last = now
	b.empty = max(b.empty, now-b.size)
	if now-b.empty < cost {
		return b.over
	}
	b.empty += cost
	b.used += cost
	return !b.over
}

// bucketStart is when a bucket that was never drawn from was empty: long ago.
const bucketStart = -1 << 61

// Merge adds what another instance took.
func (b *Bucket) Merge(d BucketDelta) {
	if b.empty == d.From {
		b.empty = d.To
	} else {
		b.empty = max(b.empty, d.Last-b.size) + min(d.Used, b.size)
	}
	b.last = max(b.last, d.Last)
	b.from = b.empty - b.used // what this instance took and has not exported yet stays to be exported
}

// BucketDelta is what an instance took from a bucket since its last delta: used, while the bucket went from one time of emptiness to another.
type BucketDelta struct{ Last, Used, From, To int64 }

// Delta returns what was taken since the last delta, and whether that was anything.
func (b *Bucket) Delta() (d BucketDelta, changed bool) {
	return BucketDelta{b.last, b.used, b.from, b.empty}, b.empty != b.from
}

// Exported says that delta has been sent.
func (b *Bucket) Exported() { b.used, b.from = 0, b.empty }

// Valid reports whether some bucket of that limit can have made d.
func (b *Bucket) Valid(d BucketDelta) bool {
	return d.Used >= 0 && d.Last >= 0 && d.To >= bucketStart && d.Last >= d.To-b.size
}
