package dataplane

import (
	"sync/atomic"

	"github.com/granule-nf/granule/ingress"
)

// ring leads from one shard to one other: one writes, one reads, neither waits.
type ring struct {
	_    [64]byte
	head atomic.Uint32 // next to read
	_    [60]byte
	tail atomic.Uint32 // next to write
	_    [60]byte
	mask uint32
	at   []steered
}

// steered is a frame that arrived on another shard's queue, or the ID of one that comes home.
type steered struct {
	frame   ingress.Frame
	side    ingress.Side
	arrival arrival
}

func newRing(n int) *ring {
	size := 1
	for size < n {
		size *= 2
	}
	return &ring{mask: uint32(size - 1), at: make([]steered, size)}
}

func (r *ring) put(x steered) bool {
	t := r.tail.Load()
	if t-r.head.Load() > r.mask {
		return false
	}
	r.at[t&r.mask] = x
	r.tail.Store(t + 1)
	return true
}

func (r *ring) get() (steered, bool) {
	h := r.head.Load()
	if h == r.tail.Load() {
		return steered{}, false
	}
	x := r.at[h&r.mask]
	r.head.Store(h + 1)
	return x, true
}

func (r *ring) empty() bool { return r.head.Load() == r.tail.Load() }
