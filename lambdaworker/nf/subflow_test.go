package nf_test

import (
	"fmt"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/state"
)

// inSub is delta with every flow in sub-flow sub.
func inSub(t *testing.T, delta []byte, sub uint16) (out []byte) {
	in := state.Read(delta)
	for e := (state.Entry{}); in.Next(&e); {
		if e.Kind == state.Flow {
			e.Sub = sub
			out = state.Append(out, &e)
		}
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return out
}

// State that somebody with another sub-flow has made up for a flow is worth nothing: it neither takes the place of what is known nor outlives
// the flow's first packet, which says where the flow is.
func TestStateOfAnotherSubFlow(t *testing.T) {
	p, _ := stage(8, "a")
	forged := inSub(t, run(p, udp(1, ""), udp(1, ""), udp(1, "")), 9)
	fresh := fmt.Sprint([]string{"flow 1 nf0 [1]", "shared nf0 42"})

	q, _ := stage(8, "a")
	if err := q.ApplyDelta(forged); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(entries(t, run(q, udp(1, "")))); got != fresh {
		t.Errorf("a packet of sub-flow 0 meets state of sub-flow 9: %v, want %v", got, fresh)
	}
	if err := q.ApplyDelta(forged); err == nil {
		t.Error("state of sub-flow 9 was taken for a living flow of sub-flow 0")
	}
	if err := q.ApplyDelta(state.Append(nil, &state.Entry{Kind: state.Gone, Sub: 9, Key: key(t, forged)})); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(entries(t, run(q, udp(1, "")))), fmt.Sprint([]string{"flow 1 nf0 [2]", "shared nf0 42"}); got != want {
		t.Errorf("the flow goes on as %v, want %v", got, want)
	}

	u, _ := stage(8, "a")
	if err := u.ApplyDelta(inSub(t, forged, 0)); err != nil { // and what is true is taken up
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(entries(t, run(u, udp(1, "")))), fmt.Sprint([]string{"flow 1 nf0 [4]", "shared nf0 42"}); got != want {
		t.Errorf("the flow goes on as %v, want %v", got, want)
	}
}

func key(t *testing.T, delta []byte) [6]uint64 {
	in, e := state.Read(delta), state.Entry{}
	if !in.Next(&e) {
		t.Fatal(in.Err())
	}
	return e.Key
}
