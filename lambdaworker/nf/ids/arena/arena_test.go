package arena

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestModel runs random operations against plain slices.
func TestModel(t *testing.T) {
	a := New(4 * MaxBlock)
	rng := rand.New(rand.NewPCG(1, 2))
	var bufs [200]Buf
	var want [200][]byte
	check := func(i int) {
		t.Helper()
		if !bytes.Equal(a.Bytes(bufs[i]), want[i]) {
			t.Fatalf("buffer %d holds %d bytes that are not the %d of the model", i, bufs[i].Len(), len(want[i]))
		}
	}
	for range 60000 {
		i := rng.IntN(len(bufs))
		switch rng.IntN(8) {
		case 0, 1, 2:
			d := make([]byte, rng.IntN(3000))
			for j := range d {
				d[j] = byte(rng.Uint32())
			}
			if a.Append(&bufs[i], d) {
				want[i] = append(want[i], d...)
			}
		case 3:
			n := rng.IntN(len(want[i]) + 2)
			a.Cut(&bufs[i], n)
			want[i] = want[i][min(n, len(want[i])):]
		case 4:
			a.Free(&bufs[i])
			want[i] = nil
		case 5:
			a.Reserve(&bufs[i], rng.IntN(MaxBlock/4))
		case 6:
			if a.AppendByte(&bufs[i], 7) {
				want[i] = append(want[i], 7)
			}
		case 7:
			a.Truncate(&bufs[i])
			want[i] = want[i][:0]
		}
		check(i)
	}
	for i := range bufs {
		check(i)
		a.Free(&bufs[i])
	}
	if a.Used() != 0 {
		t.Fatalf("%d bytes are lent out though every buffer was freed", a.Used())
	}
	// All blocks have joined again: the slab's largest blocks are whole.
	for i := range 4 {
		if !a.Reserve(&bufs[i], MaxBlock) {
			t.Fatalf("large block %d is not free: buddies did not join", i)
		}
	}
	if a.Reserve(&bufs[5], 1) || a.Fails() == 0 {
		t.Fatal("a full arena lent another block, or did not count the refusal")
	}
}

func TestNoAllocations(t *testing.T) {
	a := New(MaxBlock)
	data := make([]byte, 700)
	if n := testing.AllocsPerRun(100, func() {
		var b, c Buf
		for range 5 {
			a.Append(&b, data)
			a.Append(&c, data)
		}
		a.Cut(&b, 100)
		a.Free(&b)
		a.Free(&c)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAppendFree(b *testing.B) {
	a := New(MaxBlock)
	data := make([]byte, 700)
	for b.Loop() {
		var x Buf
		a.Append(&x, data)
		a.Free(&x)
	}
}
