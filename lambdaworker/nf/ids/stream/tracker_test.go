package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// talk drives one flow of a tracker and collects what it hands out.
type talk struct {
	*testing.T
	tr    *Tracker
	c, s  uint32 // next sequence numbers
	out   [2]bytes.Buffer
	gaps  [2]uint64
	ended [2]bool
	raw   [2]bytes.Buffer // fresh bytes only
	last  Result
}

func newTalk(t *testing.T, cfg Config) *talk {
	cfg.Flows = 4
	if cfg.Arena == nil {
		cfg.Arena = arena.New(4 << 20)
	}
	return &talk{T: t, tr: New(cfg), c: 0xfffffff0, s: 0x7ffffff8}
}

// send gives a segment and drains both directions.
func (k *talk) send(dir proto.Dir, flags uint8, sq, ak uint32, data string) Result {
	k.Helper()
	g := Segment{Reverse: dir == proto.ToClient, Flags: flags, Seq: sq, Ack: ak, Window: 65535, Payload: []byte(data)}
	k.tr.Packet(1, &g, &k.last)
	k.drain(dir.Opposite())
	k.drain(dir)
	return k.last
}

func (k *talk) drain(dir proto.Dir) {
	k.Helper()
	var c Chunk
	for k.tr.Next(1, dir, &c) {
		if want := uint64(k.out[dir].Len()) + k.gaps[dir]; c.Offset != want {
			k.Fatalf("%v: chunk at offset %d, want %d", dir, c.Offset, want)
		}
		k.out[dir].Write(c.Data)
		k.gaps[dir] += c.Gap
		if c.End {
			k.ended[dir] = true
		}
	}
	for {
		d, fresh, _, due := k.tr.Raw(1, dir)
		if !due {
			return
		}
		k.raw[dir].Write(d[fresh:])
		k.tr.RawDone(1, dir)
	}
}

func (k *talk) shake() {
	k.Helper()
	k.send(proto.ToServer, syn, k.c, 0, "")
	k.send(proto.ToClient, syn|ack, k.s, k.c+1, "")
	k.c++
	k.s++
	if r := k.send(proto.ToServer, ack, k.c, k.s, ""); !r.Established || r.WasEstablished {
		k.Fatalf("after the handshake: %+v", r)
	}
}

func (k *talk) want(dir proto.Dir, s string) {
	k.Helper()
	if k.out[dir].String() != s {
		k.Fatalf("%v: handed out %q, want %q", dir, k.out[dir].String(), s)
	}
}

func TestWatcherWaitsForAcknowledgement(t *testing.T) {
	k := newTalk(t, Config{})
	k.shake()
	k.send(proto.ToServer, ack, k.c, k.s, "hello")
	k.want(proto.ToServer, "")
	k.send(proto.ToClient, ack, k.s, k.c+3, "")
	k.want(proto.ToServer, "hel")
	k.send(proto.ToClient, ack, k.s, k.c+5, "world")
	k.want(proto.ToServer, "hello")
	k.send(proto.ToServer, ack|fin, k.c+5, k.s+5, "")
	k.want(proto.ToClient, "world")
	if !k.ended[proto.ToServer] {
		t.Fatal("all bytes before the FIN are handed out, but there was no End")
	}
	k.send(proto.ToClient, ack|fin, k.s+5, k.c+6, "")
	if r := k.send(proto.ToServer, ack, k.c+6, k.s+6, ""); !r.Closed || !k.ended[proto.ToClient] {
		t.Fatalf("after both FINs: %+v", r)
	}
	if r := k.send(proto.ToServer, ack, k.c+6, k.s+6, "late"); r.Accepted || r.Events&AfterClose == 0 {
		t.Fatalf("after the close: %+v", r)
	}
	if r := k.send(proto.ToServer, syn, k.c+1000, 0, ""); !r.New || r.Events&Reused == 0 || r.Established {
		t.Fatalf("the 5-tuple again: %+v", r)
	}
}

func TestInlineHandsOutAtOnceAndKeepsItsFirstVersion(t *testing.T) {
	k := newTalk(t, Config{Inline: true, Raw: true})
	k.shake()
	k.send(proto.ToServer, ack, k.c, k.s, "GOOD")
	k.want(proto.ToServer, "GOOD")
	g := Segment{Flags: ack, Seq: k.c, Ack: k.s, Window: 65535, Payload: []byte("EVILmore")}
	k.tr.Packet(1, &g, &k.last)
	if string(g.Payload) != "GOODmore" || !k.last.Rewritten || k.last.Events&OverlapDifferent == 0 {
		t.Fatalf("payload is %q, %+v", g.Payload, k.last)
	}
	k.drain(proto.ToServer)
	k.want(proto.ToServer, "GOODmore")
	if k.raw[proto.ToServer].String() != "GOODmore" {
		t.Fatalf("raw showed %q", k.raw[proto.ToServer].String())
	}
}

func TestOverlapPolicy(t *testing.T) {
	// Segments as offset:bytes in order of arrival; then all is acknowledged.
	for _, c := range []struct {
		name, want string
		segments   []string
	}{
		{"same place, old stays", "GOOD", []string{"0:GOOD", "0:EVIL"}},
		{"new starts before, new wins", "xEVIL", []string{"1:GOOD", "0:xEVIL"}},
		{"new starts before and ends within", "xEVOD", []string{"1:GOOD", "0:xEV"}},
		{"new starts within, old stays", "GOODIL!", []string{"0:GOOD", "2:EVIL!"}},
		{"new spans an old one and a hole", "abcdefgh", []string{"2:XXX", "0:abcdefgh"}},
		{"between two, new before the second", "AAbbxx", []string{"0:AA", "4:CC", "2:bbxx"}},
		{"new starts at the first, beyond both", "AAxxxxyy", []string{"0:AA", "0:zzxxxxyy"}},
		{"out of order", "abcdef", []string{"4:ef", "2:cd", "0:ab"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t, Config{})
			k.shake()
			for _, s := range c.segments {
				var at uint32
				var data string
				if _, err := fmt.Sscanf(s, "%d:%s", &at, &data); err != nil {
					t.Fatal(err)
				}
				k.send(proto.ToServer, ack, k.c+at, k.s, data)
			}
			k.send(proto.ToClient, ack, k.s, k.c+uint32(len(c.want)), "")
			k.want(proto.ToServer, c.want)
		})
	}
}

func TestGap(t *testing.T) {
	for _, inline := range []bool{false, true} {
		k := newTalk(t, Config{Inline: inline, Raw: true})
		k.shake()
		k.send(proto.ToServer, ack, k.c, k.s, "VERY")
		k.send(proto.ToServer, ack, k.c+8, k.s, "DATA")
		if k.out[0].Len() > 4 {
			t.Fatal("handed out bytes behind a hole")
		}
		k.send(proto.ToClient, ack, k.s, k.c+12, "")
		k.want(proto.ToServer, "VERYDATA")
		if k.gaps[0] != 4 {
			t.Fatalf("gap of %d bytes", k.gaps[0])
		}
		k.tr.Flush(1)
		k.drain(proto.ToServer)
		if k.raw[0].String() != "VERYDATA" {
			t.Fatalf("inline %v: raw showed %q", inline, k.raw[0].String())
		}
	}
}

func TestResetMustBeExact(t *testing.T) {
	k := newTalk(t, Config{})
	k.shake()
	if r := k.send(proto.ToServer, rst, k.c+1, 0, ""); r.Closed || r.Events&BadReset == 0 {
		t.Fatalf("a RST one byte off: %+v", r)
	}
	k.send(proto.ToServer, ack, k.c, k.s, "data")
	if r := k.send(proto.ToServer, rst, k.c+4, 0, ""); !r.Closed {
		t.Fatalf("the RST in its place: %+v", r)
	}
	k.want(proto.ToServer, "data")
}

func TestChecksAndPickUp(t *testing.T) {
	k := newTalk(t, Config{})
	if r := k.send(proto.ToServer, ack, 1, 1, "x"); r.Tracked || r.Events&Unsolicited == 0 {
		t.Fatalf("midstream without leave: %+v", r)
	}
	k.shake()
	if r := k.send(proto.ToServer, ack, k.c+70000, k.s, "x"); r.Accepted || r.Events&OutOfWindow == 0 {
		t.Fatalf("out of window: %+v", r)
	}
	if r := k.send(proto.ToServer, ack, k.c, k.s+80000, "x"); r.Accepted || r.Events&BadAck == 0 {
		t.Fatalf("bad ack: %+v", r)
	}
	k.send(proto.ToServer, ack, k.c, k.s, "x")
	k.send(proto.ToClient, ack, k.s, k.c+1, "")
	if r := k.send(proto.ToServer, ack, k.c, k.s, "x"); r.Events&KeepAlive == 0 {
		t.Fatalf("keep-alive: %+v", r)
	}
	k = newTalk(t, Config{Midstream: true})
	if r := k.send(proto.ToClient, ack, 500, 900, "late"); !r.Established || !r.New || r.Dir != proto.ToServer {
		t.Fatalf("pick-up: %+v", r)
	}
	k.tr.Swap(1)
	k.send(proto.ToServer, ack, 900, 504, "req")
	k.want(proto.ToClient, "late")

	// Picked up at a keep-alive probe, whose one byte was sent long before: no gap.
	k = newTalk(t, Config{Midstream: true, Inline: true})
	k.send(proto.ToServer, ack, 500, 900, "")
	k.send(proto.ToClient, ack, 900, 501, "")
	var c Chunk
	k.tr.Packet(1, &Segment{Flags: ack, Seq: 501, Ack: 900, Window: 100, Payload: []byte("GET")}, &k.last)
	if !k.tr.Next(1, proto.ToServer, &c) || string(c.Data) != "GET" || c.Gap != 0 {
		t.Fatalf("behind the probe: %+v", c)
	}
}

func TestFastOpen(t *testing.T) {
	tfo := []byte{34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}
	for _, taken := range []bool{true, false} {
		k := newTalk(t, Config{})
		k.tr.Packet(1, &Segment{Flags: syn, Seq: k.c, Window: 1000, Options: tfo, Payload: []byte("GET ")}, &k.last)
		n := uint32(1)
		if taken {
			n = 5
		}
		k.send(proto.ToClient, syn|ack, k.s, k.c+n, "")
		k.send(proto.ToServer, ack, k.c+n, k.s+1, "more")
		k.send(proto.ToClient, ack, k.s+1, k.c+n+4, "")
		if taken {
			k.want(proto.ToServer, "GET more")
		} else {
			k.want(proto.ToServer, "more")
		}
	}
}

func TestDepth(t *testing.T) {
	k := newTalk(t, Config{Depth: 10, Inline: true})
	k.shake()
	for i := range uint32(4) {
		k.send(proto.ToServer, ack, k.c+4*i, k.s, "abcd")
	}
	k.want(proto.ToServer, "abcdabcdab")
	if !k.ended[0] || k.tr.Stats().DepthReached != 1 {
		t.Fatal("the depth did not end the stream")
	}
}

// TestModel sends a known stream cut, shuffled, duplicated and acknowledged at random, moves the flow to another tracker
// now and then, and wants the stream back.
func TestModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 9))
		cfg := Config{Inline: seed%2 == 0, Raw: seed%3 != 0, Flows: 4}
		k := newTalk(t, cfg)
		k.c = rng.Uint32()
		k.shake()
		want := make([]byte, 1+rng.IntN(30000))
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		type piece struct{ from, to int }
		var left []piece
		for at := 0; at < len(want); {
			n := min(1+rng.IntN(1460), len(want)-at)
			left = append(left, piece{at, at + n})
			if rng.IntN(4) == 0 {
				left = append(left, piece{max(0, at-rng.IntN(500)), at + n})
			}
			at += n
		}
		got := make([]bool, len(want))
		edge := 0
		for len(left) > 0 {
			i := rng.IntN(min(len(left), 12))
			p := left[i]
			left = append(left[:i], left[i+1:]...)
			k.send(proto.ToServer, ack, k.c+uint32(p.from), k.s, string(want[p.from:p.to]))
			for j := p.from; j < p.to; j++ {
				got[j] = true
			}
			for edge < len(got) && got[edge] {
				edge++
			}
			if rng.IntN(3) == 0 {
				k.send(proto.ToClient, ack, k.s, k.c+uint32(edge), "")
			}
			if rng.IntN(10) == 0 {
				b := k.tr.AppendState(1, nil)
				next := New(k.tr.cfg)
				if !next.ApplyState(1, b) {
					t.Fatalf("seed %d: state of %d bytes was refused", seed, len(b))
				}
				if !bytes.Equal(next.AppendState(1, nil), b) {
					t.Fatalf("seed %d: state changed on its way", seed)
				}
				k.tr.Forget(1)
				k.tr = next
			}
		}
		k.send(proto.ToClient, ack, k.s, k.c+uint32(len(want)), "")
		if !bytes.Equal(k.out[0].Bytes(), want) || k.gaps[0] != 0 {
			t.Fatalf("seed %d: %d bytes and gaps of %d, want %d bytes", seed, k.out[0].Len(), k.gaps[0], len(want))
		}
		k.tr.Flush(1)
		k.drain(proto.ToServer)
		if cfg.Raw && !bytes.Equal(k.raw[0].Bytes(), want) {
			t.Fatalf("seed %d: raw showed %d bytes, want %d", seed, k.raw[0].Len(), len(want))
		}
		k.tr.Forget(1)
		if u := k.tr.arena.Used(); u != 0 {
			t.Fatalf("seed %d: %d bytes leaked", seed, u)
		}
	}
}

func TestFullArenaMakesGaps(t *testing.T) {
	a := arena.New(1)
	k := newTalk(t, Config{Arena: a})
	var hog arena.Buf
	a.Reserve(&hog, arena.MaxBlock)
	k.shake()
	if r := k.send(proto.ToServer, ack, k.c, k.s, "lost"); r.Events&NoMemory == 0 {
		t.Fatalf("no room: %+v", r)
	}
	a.Free(&hog)
	k.send(proto.ToServer, ack, k.c+4, k.s, "kept")
	k.send(proto.ToClient, ack, k.s, k.c+8, "")
	k.want(proto.ToServer, "kept")
	if k.gaps[0] != 4 || k.tr.Stats().NoMemory != 1 {
		t.Fatalf("gap %d", k.gaps[0])
	}
}

func TestNoAllocations(t *testing.T) {
	for _, inline := range []bool{false, true} {
		k := newTalk(t, Config{Inline: inline, Raw: true})
		k.shake()
		data := make([]byte, 1400)
		var r Result
		var c Chunk
		next := func(dir proto.Dir) {
			for k.tr.Next(1, dir, &c) {
			}
			if _, _, _, due := k.tr.Raw(1, dir); due {
				k.tr.RawDone(1, dir)
			}
		}
		if n := testing.AllocsPerRun(500, func() {
			for _, at := range []uint32{1400, 0, 0, 2800} {
				k.tr.Packet(1, &Segment{Flags: ack, Seq: k.c + at, Ack: k.s, Window: 65535, Payload: data}, &r)
				next(proto.ToServer)
			}
			k.c += 4200
			k.tr.Packet(1, &Segment{Reverse: true, Flags: ack, Seq: k.s, Ack: k.c, Window: 65535}, &r)
			next(proto.ToServer)
		}); n != 0 {
			t.Fatalf("inline %v: %v allocations", inline, n)
		}
	}
}

func BenchmarkInOrder(b *testing.B) {
	for _, inline := range []bool{false, true} {
		b.Run(fmt.Sprintf("inline=%v", inline), func(b *testing.B) {
			tr := New(Config{Flows: 4, Arena: arena.New(1 << 20), Inline: inline, Raw: true})
			var r Result
			var c Chunk
			tr.Packet(1, &Segment{Flags: syn, Seq: 1, Window: 65535}, &r)
			tr.Packet(1, &Segment{Reverse: true, Flags: syn | ack, Seq: 1, Ack: 2, Window: 65535}, &r)
			tr.Packet(1, &Segment{Flags: ack, Seq: 2, Ack: 2, Window: 65535}, &r)
			data := make([]byte, 1400)
			at := uint32(2)
			b.SetBytes(1400)
			b.ReportAllocs()
			for b.Loop() {
				tr.Packet(1, &Segment{Flags: ack, Seq: at, Ack: 2, Window: 65535, Payload: data}, &r)
				at += 1400
				tr.Packet(1, &Segment{Reverse: true, Flags: ack, Seq: 2, Ack: at, Window: 65535}, &r)
				for tr.Next(1, 0, &c) {
				}
				if _, _, _, due := tr.Raw(1, 0); due {
					tr.RawDone(1, 0)
				}
			}
		})
	}
}
