package proto

import (
	"math/rand/v2"
	"testing"
)

// TestRecordsAgainstMap: whatever is made and dropped in whatever order, each flow has its own record, and no more are in use
// than may be.
func TestRecordsAgainstMap(t *testing.T) {
	const flows, most = 20, 7
	r := rand.New(rand.NewPCG(1, 7))
	s, model := NewRecords[int](flows, most), map[uint32]int{}
	for step := range 5000 {
		flow := r.Uint32N(flows)
		got := s.Get(flow)
		want, known := model[flow]
		if (got != nil) != known || known && *got != want {
			t.Fatalf("step %d: flow %d has %v, want %d, %v", step, flow, got, want, known)
		}
		switch {
		case known && r.IntN(2) == 0, !known && r.IntN(4) == 0:
			s.Drop(flow)
			delete(model, flow)
		case !known:
			p := s.Make(flow)
			if full := len(model) == most; (p == nil) != full {
				t.Fatalf("step %d: %v with %d in use", step, p, len(model))
			}
			if p != nil {
				if *p != 0 {
					t.Fatalf("step %d: a new record holds %d", step, *p)
				}
				*p = step
				model[flow] = step
			}
		}
	}
}
