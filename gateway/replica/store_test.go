package replica

import (
	"testing"

	"github.com/granule-nf/granule/flowhash"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// told is a delta that says a little of flow n.
func told(n uint64) []byte {
	return state.Append(nil, &state.Entry{Kind: state.Flow, Key: [6]uint64{0, n, 0, 7}, Data: []byte{1}})
}

// A shard's replica is full of flows that the same seed chose for that shard. Its records still lie close to their homes: with linear
// probing at a load of one half at most, 0.5 slots away in the mean (Knuth, The Art of Computer Programming, volume 3, section 6.4).
func TestFlowsOfOneShardDoNotCluster(t *testing.T) {
	const seed, subFlows = 11, 4096
	for _, shards := range []uint64{1, 4, 16} {
		r, err := New(Config{Bytes: 4 << 20, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for n := uint64(0); r.live < len(r.records); n++ {
			if flowhash.Of(&[6]uint64{0, n, 0, 7}, seed)%subFlows%shards == 0 {
				r.Apply(1, told(n), all, nil)
			}
		}
		sum := 0
		for i, rec := range r.slots {
			if rec != 0 {
				sum += int((uint32(i) - r.home(&r.records[rec-1].key)) & r.mask)
			}
		}
		if mean := float64(sum) / float64(r.live); mean > 0.6 {
			t.Errorf("%d shards: a record is %.2f slots from its home in the mean, want at most 0.6", shards, mean)
		}
	}
}

// A full replica gives up what was told longest ago: the first flow, then the next that nobody spoke of since.
func TestOldestIsEvictedFirst(t *testing.T) {
	r, err := New(Config{Bytes: MinBytes})
	if err != nil {
		t.Fatal(err)
	}
	known := func(n uint64) bool {
		_, ok := r.first(&[6]uint64{0, n, 0, 7})
		return ok
	}
	full := uint64(len(r.records))
	for n := range full {
		r.Apply(1, told(n), all, nil)
	}
	if r.Stats().Evicted != 0 {
		t.Fatalf("%d evicted with room for all", r.Stats().Evicted)
	}
	r.Apply(1, told(1), all, nil) // told again: no longer among the oldest
	for i, victim := range []uint64{0, 2, 3} {
		if !known(victim) {
			t.Fatalf("flow %d went before its turn", victim)
		}
		r.Apply(1, told(full+uint64(i)), all, nil)
		if known(victim) || !known(1) || !known(4) || !known(full-1) || !known(full+uint64(i)) {
			t.Fatalf("the %d. flow too many: want flow %d to go for it, and no other", i+1, victim)
		}
		if got := r.Stats().Evicted; got != uint64(i)+1 {
			t.Fatalf("%d evicted, want %d", got, i+1)
		}
	}
}
