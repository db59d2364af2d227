package defrag

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// TestMoves: fragments in any order, with a move into another defragmenter before each, give what they give without.
func TestMoves(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	a, b := arena.New(8<<20), arena.New(8<<20)
	stay, move := New(Config{Arena: a}), New(Config{Arena: b, Flows: 2, Datagrams: 16, Fragments: 512})
	for round := range 300 {
		var all [][]byte
		for id := range uint16(3) {
			data := udp(200 + rng.IntN(3000))
			for at := 0; at < len(data); {
				n := min(8*(1+rng.IntN(60)), len(data)-at)
				if id%2 == 0 {
					all = append(all, fragment4(id, at, at+n < len(data), data[at:at+n]))
				} else {
					all = append(all, fragment6(id, at, at+n < len(data), data[at:at+n]))
				}
				if at += n; at < len(data) && rng.IntN(3) == 0 { // the next one overlaps
					at -= min(at, 8*(1+rng.IntN(4)))
				}
			}
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i, f := range all {
			if rng.IntN(4) > 0 {
				for at := 70; at < len(f); at++ { // overlapping bytes that differ
					f[at] ^= byte(rng.UintN(4))
				}
			}
			state := move.AppendState(1, nil)
			if used := b.Used(); len(state) == 0 && used != 0 {
				t.Fatalf("round %d: no state, %d bytes in use", round, used)
			}
			to := New(Config{Arena: b, Flows: 2, Datagrams: 16, Fragments: 512})
			move.Forget(1)
			if b.Used() != 0 {
				t.Fatalf("round %d: %d bytes leaked", round, b.Used())
			}
			if len(state) > 0 && !to.ApplyState(1, state) {
				t.Fatalf("round %d: state is refused", round)
			}
			if again := to.AppendState(1, nil); !bytes.Equal(again, state) {
				t.Fatalf("round %d: state is another after a move", round)
			}
			move = to
			var in packet.Info
			packet.Parse(f, len(f), &in)
			want, _, wantOK := stay.Add(1, &in, f, int64(i))
			got, _, ok := move.Add(1, &in, f, int64(i))
			if ok != wantOK || !bytes.Equal(got, want) {
				t.Fatalf("round %d, fragment %d: %v %x, want %v %x", round, i, ok, got, wantOK, want)
			}
		}
		for stay.oldest != 0 {
			stay.drop(stay.oldest)
		}
		move.Forget(1)
		if a.Used()+b.Used() != 0 {
			t.Fatalf("round %d: %d bytes leaked", round, a.Used()+b.Used())
		}
	}
}

// TestStateIsBounded: of more than may move, the newest datagrams do.
func TestStateIsBounded(t *testing.T) {
	var told []uint32
	d := New(Config{Arena: arena.New(8 << 20), Flows: 2, Changed: func(flow uint32) { told = append(told, flow) }})
	for id := range uint16(40) {
		f := fragment4(id, 0, true, udp(8000))
		var in packet.Info
		packet.Parse(f, len(f), &in)
		d.Add(1, &in, f, int64(id))
	}
	if len(told) != 40 || slices.Max(told) != 1 || slices.Min(told) != 1 {
		t.Errorf("told of changes in %v", told)
	}
	state := d.AppendState(1, nil)
	if len(state) > maxState || len(state) < maxState-9000 {
		t.Errorf("%d bytes", len(state))
	}
	to := New(Config{Arena: arena.New(1 << 20), Flows: 2})
	if !to.ApplyState(1, state) || to.Waiting() == 0 || to.all[to.newest-1].key.id != 39 {
		t.Errorf("%d datagrams moved, the newest is not among them", to.Waiting())
	}
	for id := range uint32(2) {
		if d.Forget(id); len(d.AppendState(id, nil)) != 0 {
			t.Errorf("flow %d is not forgotten", id)
		}
	}
	if d.Waiting() != 0 || len(told) != 40 {
		t.Errorf("%d datagrams wait, %d changes were told", d.Waiting(), len(told))
	}
}

// FuzzApplyState: bytes that nobody wrote are refused or make datagrams that go on, and what was taken is given again.
func FuzzApplyState(f *testing.F) {
	d := New(Config{Arena: arena.New(1 << 20), Flows: 2})
	for _, b := range [][]byte{fragment4(1, 8, true, udp(16)), fragment6(1, 0, true, udp(16)), fragment4(2, 0, true, udp(24))} {
		var in packet.Info
		packet.Parse(b, len(b), &in)
		d.Add(1, &in, b, 5)
	}
	f.Add(d.AppendState(1, nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		a := arena.New(1 << 20)
		d := New(Config{Arena: a, Flows: 2, Datagrams: 8, Fragments: 64})
		if d.ApplyState(1, state) {
			if !d.ApplyState(0, d.AppendState(1, nil)) {
				t.Fatal("what was appended is refused")
			}
		}
		for _, b := range [][]byte{fragment4(1, 0, false, udp(64)), fragment6(1, 16, false, udp(8)), fragment4(2, 24, false, udp(8))} {
			var in packet.Info
			packet.Parse(b, len(b), &in)
			if whole, _, ok := d.Add(1, &in, b, 6); ok && len(whole) > 1<<17 {
				t.Fatalf("a frame of %d bytes", len(whole))
			}
		}
		d.Forget(0)
		d.Forget(1)
		if d.Waiting() != 0 || a.Used() != 0 {
			t.Fatalf("%d datagrams and %d bytes left", d.Waiting(), a.Used())
		}
	})
}
