package pktgen

import (
	"math/rand/v2"
	"testing"
)

// TestAccountAgainstSets draws loss, reordering within the window and duplicates, and counts them a second time by sets.
func TestAccountAgainstSets(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var stream []uint32
		start := uint32(r.IntN(2)) * (1<<32 - 500) // half of the runs cross the wrap
		for i := range uint32(3000) {
			switch r.IntN(20) {
			case 0: // lost
			case 1:
				stream = append(stream, start+i, start+i)
			default:
				stream = append(stream, start+i)
			}
		}
		for range r.IntN(50) {
			i := r.IntN(len(stream))
			j := min(len(stream)-1, i+r.IntN(200))
			stream[i], stream[j] = stream[j], stream[i]
		}
		a := account{next: start}
		var got, want outcomes
		seen, next := map[uint32]bool{}, uint32(0) // relative to start
		for _, s := range stream {
			a.take(s, &got)
			switch rel := s - start; {
			case seen[s]:
				want.duplicated++
			case rel < next:
				seen[s] = true
				want.received++
				want.reordered++
			default:
				seen[s] = true
				want.received++
				next = rel + 1
			}
		}
		if got != want {
			t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
		}
	}
}

func TestAJumpBeyondTheWindowForgets(t *testing.T) {
	var a account
	var o outcomes
	for _, s := range []uint32{0, 5000, 4999, 4999, 1} {
		a.take(s, &o)
	}
	if o != (outcomes{received: 4, reordered: 2, duplicated: 1}) {
		t.Errorf("got %+v", o)
	}
}
