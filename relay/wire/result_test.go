package wire

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// reply is what a test put into a result.
type reply struct {
	state     []byte
	verdicts  []uint8
	rewritten []Entry
	injected  []Entry
}

func (r *reply) write(dst []byte, sequence, credit uint32) ([]byte, bool) {
	var w ResultWriter
	w.Begin(dst, sequence, credit)
	if r.state != nil {
		w.EndState(append(w.BeginState(), r.state...))
	}
	for _, v := range r.verdicts {
		w.Verdict(v)
	}
	for _, e := range r.rewritten {
		w.Rewritten(e.Index, e.What, e.Data)
	}
	for _, e := range r.injected {
		w.Injected(e.Index, e.What, e.Data)
	}
	return w.End()
}

func read(h Header, body []byte, packets int) (r reply, fault Fault) {
	var res Result
	if fault = res.Parse(h, body, packets); fault != FaultNone {
		return r, fault
	}
	r.state = bytes.Clone(res.State)
	for {
		v, n, ok := res.NextRun()
		if !ok {
			break
		}
		r.verdicts = append(r.verdicts, bytes.Repeat([]byte{v}, n)...)
	}
	var e Entry
	for res.NextRewritten(&e) {
		r.rewritten = append(r.rewritten, Entry{e.Index, e.What, bytes.Clone(e.Data)})
	}
	for res.NextInjected(&e) {
		r.injected = append(r.injected, Entry{e.Index, e.What, bytes.Clone(e.Data)})
	}
	return r, FaultNone
}

func same(a, b Entry) bool {
	return a.Index == b.Index && a.What == b.What && bytes.Equal(a.Data, b.Data)
}

func TestResultModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	some := func(most int) []byte {
		b := make([]byte, r.IntN(most))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for round := range 3000 {
		var want reply
		if r.IntN(2) == 0 {
			want.state = some(300)
		}
		packets := 1 + r.IntN(MaxPackets)
		verdict := uint8(0)
		for i := range packets {
			if r.IntN(10) == 0 {
				verdict = uint8(r.IntN(4))
			}
			want.verdicts = append(want.verdicts, verdict)
			if round%2 == 0 && r.IntN(8) == 0 {
				want.rewritten = append(want.rewritten, Entry{uint16(i), uint8(RewroteHeaders + r.IntN(2)), some(100)})
			}
			for round%3 == 0 && r.IntN(8) == 0 {
				want.injected = append(want.injected, Entry{uint16(i), uint8(r.IntN(2)), some(100)})
			}
		}
		prefix := some(50) // a result is appended to what is there
		out, ok := want.write(bytes.Clone(prefix), uint32(round), 77)
		if !ok || !bytes.HasPrefix(out, prefix) {
			t.Fatal("not appended")
		}
		hs, bodies := frames(t, out[len(prefix):])
		if len(hs) != 1 || hs[0].Sequence != uint32(round) || hs[0].Credit != 77 {
			t.Fatalf("headers %+v", hs)
		}
		got, fault := read(hs[0], bodies[0], packets)
		if fault != FaultNone {
			t.Fatalf("own result: %v", fault)
		}
		if !bytes.Equal(got.state, want.state) || !bytes.Equal(got.verdicts, want.verdicts) ||
			!slices.EqualFunc(got.rewritten, want.rewritten, same) || !slices.EqualFunc(got.injected, want.injected, same) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		for _, wrong := range []int{packets - 1, packets + 1} {
			if _, fault := read(hs[0], bodies[0], wrong); fault != FaultRuns {
				t.Fatalf("as the answer to %d packets instead of %d: %v", wrong, packets, fault)
			}
		}
		for cut := range bodies[0] { // no part of a result is one
			if _, fault := read(hs[0], bodies[0][:cut], packets); fault == FaultNone {
				t.Fatalf("%d of %d bytes are accepted", cut, len(bodies[0]))
			}
			if round > 50 {
				break
			}
		}
	}
}

func TestResultOfABatchThatPasses(t *testing.T) {
	r := reply{verdicts: make([]uint8, MaxPackets)}
	out, _ := r.write(nil, 1, 0)
	if len(out) != 20 {
		t.Errorf("%d bytes for 256 packets that pass, SPEC.md says 20", len(out))
	}
}

func TestResultLongerThanAFrame(t *testing.T) {
	r := reply{state: make([]byte, MaxFrame), verdicts: []uint8{0}}
	if out, ok := r.write([]byte("before"), 1, 0); ok || string(out) != "before" {
		t.Errorf("%v, %d bytes", ok, len(out))
	}
}

func TestResultFaults(t *testing.T) {
	entry := func(index, size uint16, what, zero byte, data ...byte) []byte {
		b := le.AppendUint16(le.AppendUint16(nil, index), size)
		return append(append(b, what, zero), data...)
	}
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	pass3 := []byte{0, 0, 3, 0}
	one := []byte{1, 0}
	for _, c := range []struct {
		name  string
		flags uint8
		runs  uint16
		body  []byte
		want  Fault
	}{
		{"three pass", 0, 1, pass3, FaultNone},
		{"two runs", 0, 2, []byte{0, 0, 1, 0, 9, 0, 2, 0}, FaultNone},
		{"empty run", 0, 2, []byte{0, 0, 0, 0, 9, 0, 3, 0}, FaultRuns},
		{"too few", 0, 1, []byte{0, 0, 2, 0}, FaultRuns},
		{"too many", 0, 1, []byte{0, 0, 4, 0}, FaultRuns},
		{"no run", 0, 0, nil, FaultRuns},
		{"reserved", 0, 1, []byte{0, 1, 3, 0}, FaultReserved},
		{"runs cut off", 0, 2, pass3, FaultShort},
		{"more behind", 0, 1, append(pass3[:4:4], 0), FaultTrailing},
		{"state", FlagState, 1, join([]byte{1, 0, 0, 0, 7}, pass3), FaultNone},
		{"state longer than the frame", FlagState, 1, join([]byte{255, 255, 255, 255}, pass3), FaultShort},
		{"state without length", FlagState, 1, []byte{1, 0}, FaultShort},
		{"rewritten", FlagRewritten, 1, join(pass3, one, entry(2, 1, RewroteWhole, 0, 7)), FaultNone},
		{"rewritten, of none", FlagRewritten, 1, join(pass3, []byte{0, 0}), FaultCount},
		{"rewritten, no count", FlagRewritten, 1, pass3, FaultShort},
		{"rewritten beyond the batch", FlagRewritten, 1, join(pass3, one, entry(3, 0, RewroteWhole, 0)), FaultIndex},
		{"rewritten twice", FlagRewritten, 1, join(pass3, []byte{2, 0}, entry(1, 0, 1, 0), entry(1, 0, 1, 0)), FaultIndex},
		{"rewritten what", FlagRewritten, 1, join(pass3, one, entry(0, 0, 3, 0)), FaultExtent},
		{"rewritten reserved", FlagRewritten, 1, join(pass3, one, entry(0, 0, 1, 1)), FaultReserved},
		{"rewritten cut off", FlagRewritten, 1, join(pass3, one, entry(0, 2, 1, 0, 7)), FaultShort},
		{"rewritten too long", FlagRewritten, 1, join(pass3, one, entry(0, 65535, 2, 0), make([]byte, 65535)), FaultPacket},
		{"injected", FlagInjected, 1, join(pass3, []byte{2, 0}, entry(1, 0, 0, 0), entry(1, 1, 1, 0, 7)), FaultNone},
		{"injected out of order", FlagInjected, 1, join(pass3, []byte{2, 0}, entry(1, 0, 0, 0), entry(0, 0, 0, 0)), FaultIndex},
		{"injected to no side", FlagInjected, 1, join(pass3, one, entry(0, 0, 2, 0)), FaultSide},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, got := read(Header{Type: TypeResult, Flags: c.flags, Count: c.runs}, c.body, 3); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func FuzzResult(f *testing.F) {
	full := reply{[]byte("state"), []uint8{0, 0, 1}, []Entry{{0, 1, []byte("x")}}, []Entry{{1, 0, []byte("y")}, {1, 1, nil}}}
	out, _ := full.write(nil, 3, 9)
	f.Add(out, 3)
	plain := reply{verdicts: []uint8{0}}
	out, _ = plain.write(nil, 1, 0)
	f.Add(out, 1)
	f.Fuzz(func(t *testing.T, data []byte, packets int) {
		h, fault := ParseHeader(data)
		if fault != FaultNone || h.Type != TypeResult || len(data) < HeaderSize+int(h.Length) {
			return
		}
		data = data[:HeaderSize+int(h.Length)]
		r, fault := read(h, data[HeaderSize:], packets)
		if fault != FaultNone {
			return
		}
		if len(r.verdicts) != packets {
			t.Fatalf("%d verdicts for %d packets", len(r.verdicts), packets)
		}
		for _, es := range [][]Entry{r.rewritten, r.injected} {
			for _, e := range es {
				if int(e.Index) >= packets {
					t.Fatalf("entry %d of %d packets", e.Index, packets)
				}
			}
		}
		out, ok := r.write(nil, h.Sequence, h.Credit)
		if !ok {
			t.Fatal("what was read can't be written")
		}
		again, fault := read(mustHeader(t, out), out[HeaderSize:], packets)
		if fault != FaultNone || !bytes.Equal(again.verdicts, r.verdicts) || !slices.EqualFunc(again.rewritten, r.rewritten, same) ||
			!slices.EqualFunc(again.injected, r.injected, same) || !bytes.Equal(again.state, r.state) {
			t.Fatalf("%v: read again as %+v, was %+v", fault, again, r)
		}
	})
}

func mustHeader(t testing.TB, b []byte) Header {
	t.Helper()
	h, fault := ParseHeader(b)
	if fault != FaultNone {
		t.Fatal(fault)
	}
	return h
}

func TestResultAllocatesNothing(t *testing.T) {
	out := make([]byte, 0, 64<<10)
	var w ResultWriter
	var r Result
	var e Entry
	data := make([]byte, 54)
	if n := testing.AllocsPerRun(100, func() {
		w.Begin(out, 1, 1)
		w.EndState(append(w.BeginState(), 1, 2, 3))
		for i := range MaxPackets {
			w.Verdict(uint8(i / 100))
		}
		for i := range uint16(MaxPackets) {
			w.Rewritten(i, RewroteHeaders, data)
		}
		w.Injected(7, Outside, data)
		frame, _ := w.End()
		h, _ := ParseHeader(frame)
		if r.Parse(h, frame[HeaderSize:], MaxPackets) != FaultNone {
			t.Fatal("own result is refused")
		}
		for r.NextRewritten(&e) {
		}
		for r.NextInjected(&e) {
		}
	}); n != 0 {
		t.Errorf("%v allocations a result", n)
	}
}

func BenchmarkResult(b *testing.B) {
	out := make([]byte, 0, 64<<10)
	var w ResultWriter
	var r Result
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; n < b.N; n += MaxPackets {
			w.Begin(out, 1, 1)
			for range MaxPackets {
				w.Verdict(0)
			}
			w.End()
		}
	})
	b.Run("read", func(b *testing.B) {
		passes := reply{verdicts: make([]uint8, MaxPackets)}
		frame, _ := passes.write(nil, 1, 1)
		b.ReportAllocs()
		for n := 0; n < b.N; n += MaxPackets {
			h, _ := ParseHeader(frame)
			if r.Parse(h, frame[HeaderSize:], MaxPackets) != FaultNone {
				b.Fatal("own result is refused")
			}
			r.NextRun()
		}
	})
}
