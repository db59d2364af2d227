package replica

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/state"
)

// TestChanges: a replica that is given patches is the one that is given whole states; a patch that does not fit leaves no state,
// until the next whole one.
func TestChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	r, err := New(Config{Bytes: MinBytes})
	if err != nil {
		t.Fatal(err)
	}
	copyOf := func(sub uint16) (all []byte) {
		for c := r.Copy(sub); ; {
			if all = c.Next(all, 1<<20); c.AtEnd() {
				c.End()
				return all
			}
		}
	}
	key := [6]uint64{9, 2, 3}
	var last, next []byte
	var d state.Patcher
	for i := range 500 {
		payload := make([]byte, 200)
		for k := range payload {
			payload[k] = byte(rng.Uint32())
		}
		parked := func(int) []byte { return payload }
		next = append(bytes.Clone(last[min(rng.IntN(100), len(last)):]), payload[50:]...)
		if len(next) > 3000 {
			next = next[2000:]
		}
		whole := state.Append(nil, &state.Entry{Kind: state.Flow, Version: 7, Sub: 9, Key: key, Seen: int64(i), Data: next})
		told, lost := whole, false
		if i > 0 && i%5 != 0 {
			told = state.Append(nil, &state.Entry{Kind: state.Change, Version: 7, Sub: 9, Key: key, Seen: int64(i), Data: d.Append(nil, last, next, []int{0}, parked)})
			if lost = i%5 == 4 && rng.IntN(2) == 0; lost {
				parked = func(int) []byte { return nil }
			}
		}
		evicted := r.Stats().Evicted
		r.Apply(9, told, byNumber{}, parked)
		got := copyOf(9)
		switch {
		case lost && (len(got) > 0 || r.Stats().Evicted != evicted+1):
			t.Fatalf("state %d: its packet has gone and %d bytes are known", i, len(got))
		case !lost && !bytes.Equal(got, whole):
			t.Fatalf("state %d: %d bytes, want %d", i, len(got), len(whole))
		}
		last = next
	}
	told := state.Append(nil, &state.Entry{Kind: state.Change, Version: 7, Sub: 9, Key: key, Data: d.Append(nil, last, next, nil, nil)})
	if n := testing.AllocsPerRun(100, func() { r.Apply(9, told, byNumber{}, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
