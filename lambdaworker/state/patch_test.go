package state

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestPatch: whatever two states and packets look like, the patch of one makes the other.
func TestPatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.IntN(1 + rng.IntN(256)))
		}
		return b
	}
	var d Patcher
	for range 20000 {
		last := random(rng.IntN(3000))
		batch := [][]byte{random(rng.IntN(1500)), random(rng.IntN(1500)), random(40)}
		next := bytes.Clone(last)
		for range rng.IntN(5) {
			switch at := rng.IntN(len(next) + 1); rng.IntN(5) {
			case 0: // a field
				copy(next[at:], random(1+rng.IntN(8)))
			case 1: // a packet's payload
				p := batch[rng.IntN(3)]
				next = append(next[:at:at], append(bytes.Clone(p[min(20, len(p)):]), next[at:]...)...)
			case 2: // what was inspected is dropped
				to := at + rng.IntN(len(next)+1-at)
				next = append(next[:at:at], next[to:]...)
			case 3:
				next = append(next[:at:at], append(random(rng.IntN(50)), next[at:]...)...)
			case 4:
				next = append(next, next[at:]...)
			}
		}
		packet := func(i int) []byte { return batch[i] }
		patch := d.Append(nil, last, next, []int{0, 1, 2}, packet)
		got, ok := Patch([]byte("x"), last, patch, packet)
		if !ok || !bytes.Equal(got[1:], next) {
			t.Fatalf("a patch of %d bytes makes %d bytes of %d, want %d: %v", len(patch), len(got)-1, len(last), len(next), ok)
		}
		if len(last) > 0 {
			last[rng.IntN(len(last))] ^= 1
			if got, ok := Patch(nil, last, patch, packet); ok && !bytes.Equal(got, next) {
				t.Fatal("a patch made another state of another last one, and said nothing")
			}
		}
	}
}

// TestPatchIsShort: a payload that is kept, dropped or moved costs a few bytes.
func TestPatchIsShort(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	head, kept, payload := random(300), random(2000), random(1460)
	other := bytes.Clone(head)
	for i := 10; i < 300; i += 40 {
		other[i]++
	}
	packet := func(int) []byte { return payload }
	var d Patcher
	for name, c := range map[string]struct {
		last, next []byte
		most       int
	}{
		"nothing":                     {head, head, 8},
		"eight fields":                {head, other, 64},
		"a payload more":              {append(head, kept...), append(append(other, kept...), payload...), 80},
		"a payload for what was kept": {append(head, kept...), append(other, payload...), 80},
		"half dropped":                {append(head, kept...), append(other, kept[1000:]...), 100},
	} {
		patch := d.Append(nil, c.last, c.next, []int{0}, packet)
		if got, ok := Patch(nil, c.last, patch, packet); !ok || !bytes.Equal(got, c.next) {
			t.Errorf("%s: not what it was made of", name)
		}
		if len(patch) > c.most {
			t.Errorf("%s: %d bytes, want at most %d", name, len(patch), c.most)
		}
	}
	last, buf := append(head, kept...), make([]byte, 0, 4096)
	next := append(append(other, kept...), payload...)
	index := []int{0}
	if n := testing.AllocsPerRun(100, func() { buf = d.Append(buf[:0], last, next, index, packet) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPatch(f *testing.F) {
	var d Patcher
	packet := func(i int) []byte { return []byte("the payload of a packet")[:max(0, 23-i)] }
	f.Add([]byte("some state as it was"), d.Append(nil, []byte("some state as it was"), []byte("some state as it is, the payload of a packet"), []int{0}, packet))
	f.Fuzz(func(t *testing.T, last, patch []byte) {
		if next, ok := Patch(nil, last, patch, packet); ok && len(next) > MaxPatched {
			t.Fatalf("%d bytes", len(next))
		}
	})
}

func BenchmarkPatch(b *testing.B) {
	last := bytes.Repeat([]byte("0123456789abcde\n"), 200)
	next := append(bytes.Clone(last[500:]), "what is new"...)
	var d Patcher
	var out []byte
	b.SetBytes(int64(len(next)))
	for b.Loop() {
		out = d.Append(out[:0], last, next, nil, nil)
	}
}
