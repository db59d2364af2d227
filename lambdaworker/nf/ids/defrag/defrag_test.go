package defrag

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// fragment4 is an IPv4 fragment with data at off.
func fragment4(id uint16, off int, more bool, data []byte) []byte {
	b := make([]byte, 34, 34+len(data))
	b[12], b[13] = 8, 0
	h := b[14:]
	h[0], h[8], h[9] = 0x45, 64, packet.ProtoUDP
	be := binary.BigEndian
	be.PutUint16(h[2:], uint16(20+len(data)))
	be.PutUint16(h[4:], id)
	f := uint16(off / 8)
	if more {
		f |= 0x2000
	}
	be.PutUint16(h[6:], f)
	copy(h[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	return append(b, data...)
}

// fragment6 is an IPv6 fragment, behind a destination options header.
func fragment6(id uint16, off int, more bool, data []byte) []byte {
	b := make([]byte, 14+40+8+8, 14+40+8+8+len(data))
	b[12], b[13] = 0x86, 0xdd
	h := b[14:]
	h[0], h[6], h[7] = 0x60, packet.ProtoDstOpts, 64
	be := binary.BigEndian
	be.PutUint16(h[4:], uint16(16+len(data)))
	h[8], h[24] = 1, 2
	h[40] = packet.ProtoFragment
	h[42], h[43] = 1, 4
	h[48] = packet.ProtoUDP
	f := uint16(off)
	if more {
		f |= 1
	}
	be.PutUint16(h[50:], f)
	be.PutUint32(h[52:], uint32(id))
	return append(b, data...)
}

// udp is a UDP datagram of n bytes.
func udp(n int) []byte {
	d := make([]byte, n)
	for i := range d {
		d[i] = byte(i*7 + i>>8)
	}
	copy(d, []byte{0, 53, 0, 54, byte(n >> 8), byte(n), 0, 0})
	return d
}

func add(d *Defragmenter, f []byte, time int64) ([]byte, *packet.Info, bool) {
	var in packet.Info
	packet.Parse(f, len(f), &in)
	return d.Add(0, &in, f, time)
}

// TestModel cuts datagrams at random, shuffles and repeats the fragments of several at once, and wants each back once.
func TestModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	a := arena.New(8 << 20)
	d := New(Config{Arena: a})
	for round := range 200 {
		type sent struct {
			id    int
			frame []byte
		}
		var all []sent
		var want [6][]byte
		for id := range want {
			data := udp(600 + rng.IntN(60000))
			want[id] = data
			build := fragment4
			if id%2 == 1 {
				build = fragment6
			}
			for at := 0; at < len(data); {
				n := min(8*(1+rng.IntN(400)), len(data)-at)
				all = append(all, sent{id, build(uint16(id), at, at+n < len(data), data[at:at+n])})
				at += n
			}
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := 0
		for _, s := range all {
			frame, info, ok := add(d, s.frame, int64(round))
			if !ok {
				continue
			}
			got++
			if info.Problem != packet.OK || info.Frag || info.Proto != packet.ProtoUDP || !info.HasPorts || !bytes.Equal(frame[info.L4:], want[s.id]) {
				t.Fatalf("round %d, datagram %d: %+v", round, s.id, *info)
			}
			if info.Kind == packet.IPv4 && headerSum(frame[14:34]) != 0 {
				t.Fatal("the header's checksum is wrong")
			}
		}
		if got != len(want) || d.Waiting() != 0 || a.Used() != 0 {
			t.Fatalf("round %d: %d datagrams, %d wait, %d bytes", round, got, d.Waiting(), a.Used())
		}
	}
}

func TestOverlap(t *testing.T) {
	eight := func(c byte, n int) []byte { return bytes.Repeat([]byte{c}, 8*n) }
	for _, c := range []struct {
		name  string
		order []string // offset in units of 8, character, units; the last by offset ends the datagram at 4 units
		want  string
	}{
		{"same place, old stays", []string{"1A1", "1B1", "2C2"}, "uACC"},
		{"new starts before, new wins", []string{"2A1", "1B2", "3C1"}, "uBBC"},
		{"new starts within, old stays", []string{"1A2", "2B1", "3C1"}, "uAAC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Config{Arena: arena.New(1 << 20)})
			add(d, fragment4(1, 0, true, udp(8)), 0)
			var frame []byte
			for _, s := range c.order {
				var off, n int
				var ch byte
				fmt.Sscanf(s, "%d%c%d", &off, &ch, &n)
				if f, _, ok := add(d, fragment4(1, 8*off, off+n < 4, eight(ch, n)), 0); ok {
					frame = bytes.Clone(f)
				}
			}
			if len(frame) < 34+32 {
				t.Fatal("not put together")
			}
			got := "u"
			for i := 1; i < 4; i++ {
				got += string(frame[34+8*i])
			}
			if got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if d.Stats().Overlaps == 0 {
				t.Fatal("the overlap was not counted")
			}
		})
	}
}

func TestBounds(t *testing.T) {
	a := arena.New(1 << 20)
	d := New(Config{Arena: a, Datagrams: 4, Timeout: 10})
	for i := range 10 {
		add(d, fragment4(uint16(i), 0, true, udp(16)), 0)
	}
	if s := d.Stats(); s.Evicted != 6 || d.Waiting() != 4 {
		t.Fatalf("%+v, %d wait", s, d.Waiting())
	}
	add(d, fragment4(99, 0, true, udp(16)), 11)
	if s := d.Stats(); s.TimedOut != 4 || d.Waiting() != 1 {
		t.Fatalf("%+v, %d wait", s, d.Waiting())
	}
	if _, _, ok := add(d, fragment4(7, 65528, false, udp(64)), 11); ok || d.Stats().Bad != 1 {
		t.Fatal("a fragment past the largest datagram was taken")
	}
	if _, info, ok := add(d, fragment6(3, 0, false, udp(16)), 11); !ok || info.Proto != packet.ProtoUDP {
		t.Fatal("an atomic fragment is a whole datagram")
	}
}

func TestNoAllocations(t *testing.T) {
	d := New(Config{Arena: arena.New(1 << 20)})
	data := udp(3000)
	f := [][]byte{fragment4(1, 1600, false, data[1600:]), fragment4(1, 0, true, data[:1600])}
	if n := testing.AllocsPerRun(100, func() {
		add(d, f[0], 0)
		if _, _, ok := add(d, f[1], 0); !ok {
			t.Fatal("not put together")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add(fragment4(1, 0, true, udp(16)), fragment4(1, 16, false, udp(8)))
	f.Add(fragment6(1, 0, true, udp(16)), fragment6(1, 16, false, udp(8)))
	a := arena.New(1 << 20)
	f.Fuzz(func(t *testing.T, x, y []byte) {
		d := New(Config{Arena: a, Datagrams: 2, Fragments: 8})
		for i := range 4 {
			b := [2][]byte{x, y}[i%2]
			var in packet.Info
			packet.Parse(b, len(b)+i, &in)
			if in.Frag {
				d.Add(0, &in, b, int64(i))
			}
		}
		for d.oldest != 0 {
			d.drop(d.oldest)
		}
		if a.Used() != 0 {
			t.Fatal("leak")
		}
	})
}
