package firewall

// bucket is the token bucket of a `limit`. The kernel (net/netfilter/nft_limit.c) counts tokens in ns and fills the bucket
// by the time that passes; here the same bucket is told by one number, the time at which it was or will be empty:
// tokens(t) = min(size, t - empty).
type bucket struct {
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

func newBucket(l *limitSpec) bucket {
	b := bucket{rate: int64(l.rate), per: int64(l.period), bytes: l.bytes, over: l.over}
	if l.bytes {
		b.size = scale(b.per, int64(l.rate)+int64(l.burst), b.rate)
	} else {
		b.size = b.per / b.rate * int64(l.burst)
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

// take asks for a packet of length bytes at time now and reports whether the rule matches.
func (b *bucket) take(now int64, length uint32) bool {
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

// merge adds what another instance took: at time last it had taken used since its bucket stood at from, and stands at to.
func (b *bucket) merge(last, used, from, to int64) {
	if b.empty == from {
		b.empty = to
	} else {
		b.empty = max(b.empty, last-b.size) + min(used, b.size)
	}
	b.last = max(b.last, last)
	b.from = b.empty - b.used // what this instance took and has not told yet stays to be told
}
