package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// sentPacket is what a test put into a batch.
type sentPacket struct {
	subflow uint16
	outside bool
	whole   bool
	wire    int
	data    []byte
	time    int64
}

// frames splits a stream into its frames.
func frames(t testing.TB, b []byte) (hs []Header, bodies [][]byte) {
	t.Helper()
	for len(b) > 0 {
		h, fault := ParseHeader(b)
		if fault != FaultNone {
			t.Fatalf("header: %v", fault)
		}
		end := HeaderSize + int(h.Length)
		hs, bodies = append(hs, h), append(bodies, b[HeaderSize:end])
		b = b[end:]
	}
	return hs, bodies
}

// TestBatchModel fills batches at random and compares what comes out with what went in.
func TestBatchModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := NewBatchBuilder()
	var packets []sentPacket
	now := int64(1_700_000_000_123_456_789)
	sequence := uint32(0)
	check := func() {
		sequence++
		size := b.Size()
		frame := b.Seal(sequence)
		if len(frame) != size || size > MaxBatch || b.Len() != 0 || b.Size() != 0 {
			t.Fatalf("sealed %d bytes, Size said %d; afterwards %d packets, %d bytes", len(frame), size, b.Len(), b.Size())
		}
		hs, bodies := frames(t, frame)
		if len(hs) != 1 || hs[0].Sequence != sequence {
			t.Fatalf("headers %+v", hs)
		}
		var got Batch
		if fault := got.Parse(hs[0], bodies[0]); fault != FaultNone {
			t.Fatalf("own batch: %v", fault)
		}
		if got.Packets != len(packets) {
			t.Fatalf("%d packets, want %d", got.Packets, len(packets))
		}
		var p BatchPacket
		for i, want := range packets {
			if !got.Next(&p) {
				t.Fatalf("packet %d is missing", i)
			}
			if p.Subflow != want.subflow || p.Outside != want.outside || p.Whole != want.whole || p.Wire != want.wire ||
				!bytes.Equal(p.Data, want.data) || p.Time != want.time/1000*1000 {
				t.Fatalf("packet %d is %+v, want %+v", i, p, want)
			}
		}
		if got.Next(&p) {
			t.Fatal("a packet more")
		}
		packets = packets[:0]
	}
	for range 10000 {
		n := r.IntN(200)
		switch r.IntN(50) {
		case 0:
			n = r.IntN(MaxPacket + 1)
		case 1:
			n = 0
		case 2:
			now += int64(r.IntN(100_000_000))
		case 3:
			now -= int64(r.IntN(1_000_000))
		}
		now += int64(r.IntN(100_000))
		p := sentPacket{subflow: uint16(r.IntN(Subflows)), outside: r.IntN(2) == 1, whole: r.IntN(2) == 1, data: make([]byte, n), time: now}
		p.wire = n
		if !p.whole {
			p.wire += r.IntN(MaxPacket + 1 - n)
		}
		fill := byte(r.Uint32())
		for i := range p.data {
			p.data[i] = fill + byte(i)
		}
		if !b.Fits(n, now) {
			if b.Len() == 0 {
				t.Fatalf("an empty batch refuses %d bytes", n)
			}
			check()
		}
		b.Add(p.subflow, p.outside, p.wire, p.data, p.whole, p.time)
		packets = append(packets, p)
		if b.Full() && b.Fits(64, now) {
			t.Fatal("full, but a small packet fits")
		}
	}
	check()
}

func TestLongestPacketFitsAlone(t *testing.T) {
	b := NewBatchBuilder()
	if b.Fits(MaxPacket+1, 0) {
		t.Error("a packet longer than MaxPacket fits")
	}
	if !b.Fits(MaxPacket, 0) {
		t.Fatal("the longest packet does not fit into an empty batch")
	}
	b.Add(0, false, MaxPacket, make([]byte, MaxPacket), true, 0)
	if n := len(b.Seal(1)); n > MaxBatch {
		t.Errorf("batch of %d bytes", n)
	}
}

// valid returns a batch of two packets, of 3 and 0 bytes, and a function to change it by.
func valid() (Header, []byte) {
	b := NewBatchBuilder()
	b.Add(5, true, 3, []byte{1, 2, 3}, true, 5000)
	b.Add(6, false, 1500, nil, false, 7000)
	frame := bytes.Clone(b.Seal(9))
	h, _ := ParseHeader(frame)
	return h, frame[HeaderSize:]
}

func TestBatchFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(h *Header, body *[]byte)
		want   Fault
	}{
		{"nothing", func(*Header, *[]byte) {}, FaultNone},
		{"no packets", func(h *Header, _ *[]byte) { h.Count = 0 }, FaultCount},
		{"too many packets", func(h *Header, _ *[]byte) { h.Count = MaxPackets + 1 }, FaultCount},
		{"more packets than descriptors", func(h *Header, _ *[]byte) { h.Count = 3 }, FaultShort},
		{"fewer packets than bytes", func(h *Header, _ *[]byte) { h.Count = 1 }, FaultTrailing},
		{"credit", func(h *Header, _ *[]byte) { h.Credit = 1 }, FaultReserved},
		{"negative time", func(_ *Header, b *[]byte) { (*b)[7] = 0x80 }, FaultTime},
		{"time between microseconds", func(_ *Header, b *[]byte) { (*b)[0]++ }, FaultTime},
		{"spare flag", func(_ *Header, b *[]byte) { (*b)[9] |= 0x80 }, FaultReserved},
		{"packet too long", func(_ *Header, b *[]byte) { le.PutUint16((*b)[18:], MaxPacket+1) }, FaultPacket},
		{"more carried than there was", func(_ *Header, b *[]byte) { le.PutUint16((*b)[10:], 2) }, FaultCarried},
		{"whole but cut", func(_ *Header, b *[]byte) { le.PutUint16((*b)[10:], 4) }, FaultCarried},
		{"bytes missing", func(_ *Header, b *[]byte) { *b = (*b)[:len(*b)-1] }, FaultShort},
		{"bytes left over", func(_ *Header, b *[]byte) { *b = append(*b, 0) }, FaultTrailing},
		{"nothing at all", func(_ *Header, b *[]byte) { *b = nil }, FaultShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, body := valid()
			c.change(&h, &body)
			var b Batch
			if got := b.Parse(h, body); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func FuzzBatch(f *testing.F) {
	h, body := valid()
	f.Add(append(h.Append(nil), body...))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, fault := ParseHeader(data)
		if fault != FaultNone || h.Type != TypeBatch || len(data) < HeaderSize+int(h.Length) {
			return
		}
		data = data[:HeaderSize+int(h.Length)]
		var b Batch
		if b.Parse(h, data[HeaderSize:]) != FaultNone {
			return
		}
		// What was accepted is exactly what a builder makes of it, if times are as near as a builder puts them.
		again := NewBatchBuilder()
		var p BatchPacket
		n := 0
		for ; b.Next(&p); n++ {
			if !again.Fits(len(p.Data), p.Time) {
				return
			}
			again.Add(p.Subflow, p.Outside, p.Wire, p.Data, p.Whole, p.Time)
		}
		if n != int(h.Count) {
			t.Fatalf("%d packets, header says %d", n, h.Count)
		}
		if first := le.Uint64(data[HeaderSize:]); int64(first) == again.base {
			if made := again.Seal(h.Sequence); !bytes.Equal(made, data) {
				t.Fatalf("read  %x\nwrote %x", data, made)
			}
		}
	})
}

func TestBatchAllocatesNothing(t *testing.T) {
	b := NewBatchBuilder()
	carried := make([]byte, 66)
	var got Batch
	var p BatchPacket
	if n := testing.AllocsPerRun(100, func() {
		for b.Fits(len(carried), 5e9) {
			b.Add(7, true, 1514, carried, false, 5e9)
		}
		frame := b.Seal(1)
		h, _ := ParseHeader(frame)
		if got.Parse(h, frame[HeaderSize:]) != FaultNone {
			t.Fatal("own batch is refused")
		}
		for got.Next(&p) {
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func BenchmarkBatch(b *testing.B) {
	for _, c := range []struct {
		name    string
		carried int
	}{{"headers", 66}, {"whole", 1514}} {
		carried := make([]byte, c.carried)
		b.Run("build/"+c.name, func(b *testing.B) {
			w := NewBatchBuilder()
			b.SetBytes(int64(c.carried))
			b.ReportAllocs()
			for range b.N {
				if !w.Fits(len(carried), 5e9) {
					w.Seal(1)
				}
				w.Add(7, true, 1514, carried, c.carried == 1514, 5e9)
			}
		})
		b.Run("read/"+c.name, func(b *testing.B) {
			w := NewBatchBuilder()
			for w.Fits(len(carried), 5e9) {
				w.Add(7, true, 1514, carried, c.carried == 1514, 5e9)
			}
			frame := w.Seal(1)
			h, _ := ParseHeader(frame)
			var got Batch
			var p BatchPacket
			b.SetBytes(int64(c.carried))
			b.ReportAllocs()
			for n := 0; n < b.N; {
				if got.Parse(h, frame[HeaderSize:]) != FaultNone {
					b.Fatal("own batch is refused")
				}
				for got.Next(&p) {
					n++
				}
			}
		})
	}
}
