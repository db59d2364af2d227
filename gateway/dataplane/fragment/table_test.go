package fragment

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
)

// piece is an IPv4 fragment of a UDP datagram: from and size in bytes.
func piece(id uint16, from, size int, more bool) []byte {
	f := make([]byte, 34+size)
	binary.BigEndian.PutUint16(f[12:], packet.EtherIPv4)
	h := f[14:]
	h[0], h[8], h[9] = 0x45, 64, packet.ProtoUDP
	binary.BigEndian.PutUint16(h[2:], uint16(20+size))
	binary.BigEndian.PutUint16(h[4:], id)
	fr := uint16(from / 8)
	if more {
		fr |= 0x2000
	}
	binary.BigEndian.PutUint16(h[6:], fr)
	copy(h[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	if from == 0 && size >= 8 {
		binary.BigEndian.PutUint16(h[20:], id)
		binary.BigEndian.PutUint16(h[22:], 53)
		binary.BigEndian.PutUint16(h[24:], 8)
	}
	return f
}

// holder is whoever asks, in little: it holds numbers.
type holder struct {
	t       *Table
	next    map[uint32]uint32
	dropped map[uint32]bool // and whether for time
	n       uint32
}

func newHolder(cfg Config) *holder {
	return &holder{t: New(cfg), next: map[uint32]uint32{}, dropped: map[uint32]bool{}}
}

func (h *holder) drop(head uint32, timedOut bool) {
	for ; head != None; head = h.next[head] {
		h.dropped[head] = timedOut
	}
}

func (h *holder) take(e *Entry) (list []uint32) {
	for i := e.Head; i != None; i = h.next[i] {
		list = append(list, i)
	}
	e.Head, e.Tail = None, None
	return list
}

func (h *holder) add(f []byte, now int64) (v Verdict, u packet.Upper, released []uint32, number uint32) {
	var in packet.Info
	var key packet.Key
	packet.Parse(f, len(f), &in)
	in.DatagramKey(f, &key)
	i, u, v := h.t.Add(f, &in, &key, now, h.drop)
	h.n++
	switch v {
	case Hold:
		e := h.t.Entry(i)
		h.next[h.n] = None
		if e.Tail == None {
			e.Head = h.n
		} else {
			h.next[e.Tail] = h.n
		}
		e.Tail = h.n
	case First, Spoil:
		released = h.take(h.t.Entry(i))
	}
	return v, u, released, h.n
}

// datagram is the model's entry: a bit for each byte, and no cleverness.
type datagram struct {
	seen    map[int]bool // units of eight bytes
	end     int
	known   bool
	spoiled bool
	held    []uint32
	began   int64
}

// Against a model without bits, buckets or bounds: whatever fragments come in whatever order, each goes on, waits or is dropped as the protocol says, with the
// ports of its datagram, and nothing that was held is lost or comes twice.
func TestTableIsItsModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		h := newHolder(Config{Datagrams: 4096, Held: 1 << 20, Seed: seed})
		model := map[uint16]*datagram{}
		now := int64(1)
		for range 400 {
			now += rng.Int64N(Timeout4 / 100)
			id := uint16(rng.UintN(6)) + 1
			from, size, more := 8*rng.IntN(8), 8*(1+rng.IntN(4)), rng.IntN(3) > 0
			if !more && rng.IntN(2) == 0 {
				size -= rng.IntN(8)
			}
			if from == 0 && !more {
				continue // no fragment
			}
			d := model[id]
			if d != nil && now-d.began > Timeout4 {
				d = nil
			}
			if d == nil {
				d = &datagram{seen: map[int]bool{}, began: now}
				model[id] = d
			}
			want, had, units := Go, 0, (size+7)/8
			for u := range units {
				if d.seen[from/8+u] {
					had++
				}
			}
			to, highest := from/8+units, 0
			for u := range d.seen {
				highest = max(highest, u+1)
			}
			switch {
			case d.spoiled, had == units && (more || d.end == to):
				want = Overlap
			case had > 0, d.end > 0 && (to > d.end || !more && to != d.end), !more && highest > to:
				want, d.spoiled = Spoil, true
			default:
				for u := range units {
					d.seen[from/8+u] = true
				}
				if !more {
					d.end = to
				}
				if from == 0 {
					want, d.known = First, true
				} else if !d.known {
					want = Hold
				}
			}
			got, upper, released, number := h.add(piece(id, from, size, more), now)
			if got != want {
				t.Fatalf("seed %d, datagram %d, bytes %d+%d, more %v: verdict %d; expected %d", seed, id, from, size, more, got, want)
			}
			if (got == Go || got == First) && (!upper.Known || upper.SrcPort != id || upper.DstPort != 53) {
				t.Fatalf("seed %d: datagram %d goes on with %+v", seed, id, upper)
			}
			switch got {
			case Hold:
				d.held = append(d.held, number)
			case First, Spoil:
				if len(released) != len(d.held) {
					t.Fatalf("seed %d: %v are let go; %v were held", seed, released, d.held)
				}
				for i := range released {
					if released[i] != d.held[i] {
						t.Fatalf("seed %d: %v are let go; %v were held, in this order", seed, released, d.held)
					}
				}
				d.held = nil
			}
			if d.known && d.end > 0 && len(d.seen) == d.end && !d.spoiled {
				delete(model, id)
			}
		}
		held := 0
		for _, d := range model {
			if now-d.began <= Timeout4 {
				held += len(d.held)
			}
		}
		h.t.Expire(now, 1<<20, h.drop)
		if h.t.Held() != held {
			t.Errorf("seed %d: %d are held; expected %d", seed, h.t.Held(), held)
		}
		h.t.DropAll(h.drop)
		if h.t.Held() != 0 || h.t.Len() != 0 {
			t.Errorf("seed %d: %d held in %d datagrams after the end", seed, h.t.Held(), h.t.Len())
		}
	}
}

// A sender of fragments without a first one fills neither the table for others nor memory.
func TestFragmentsWithoutAFirstAreBounded(t *testing.T) {
	h := newHolder(Config{Datagrams: 64, Held: 100, Seed: 1})
	for id := range uint16(5000) {
		h.add(piece(id, 800, 8, true), int64(id))
	}
	if h.t.Held() > 100 || h.t.Len() > 64 {
		t.Errorf("%d held in %d datagrams; expected at most 100 in 64", h.t.Held(), h.t.Len())
	}
	if v, _, _, _ := h.add(piece(9999, 0, 16, true), 6000); v != First {
		t.Errorf("a first fragment: verdict %d; expected that there is room for it", v)
	}
	for i := range 2 * MaxHeld {
		h.add(piece(7777, 8+8*i, 8, true), 7000)
	}
	for id := range uint16(5000) { // known ones outlive those that wait
		h.add(piece(id, 800, 8, true), 8000+int64(id))
	}
	if v, u, _, _ := h.add(piece(9999, 16, 16, false), 20000); v != Go || u.SrcPort != 9999 {
		t.Errorf("the second fragment of a known datagram: verdict %d, %+v", v, u)
	}
}

// What was held is dropped when its time is over, and not before.
func TestHeldFragmentsTimeOut(t *testing.T) {
	h := newHolder(Config{Datagrams: 64, Held: 100})
	h.add(piece(1, 8, 8, true), 0)
	h.t.Expire(Timeout4, 64, h.drop)
	if len(h.dropped) != 0 {
		t.Fatal("dropped within its time")
	}
	h.t.Expire(Timeout4+1, 64, h.drop)
	if timedOut, ok := h.dropped[1]; !ok || !timedOut || h.t.Held() != 0 {
		t.Errorf("dropped %v; expected 1, for time", h.dropped)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	h := New(Config{Datagrams: 64, Held: 100})
	drop := func(uint32, bool) {}
	fragments := [][]byte{piece(1, 8, 1480, true), piece(1, 0, 8, true), piece(1, 1488, 100, false), piece(2, 8, 8, true), piece(2, 0, 24, true)}
	var in packet.Info
	var key packet.Key
	now := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		now += Timeout4
		for _, f := range fragments {
			packet.Parse(f, len(f), &in)
			in.DatagramKey(f, &key)
			i, _, v := h.Add(f, &in, &key, now, drop)
			if v == First || v == Spoil {
				h.Entry(i).Head, h.Entry(i).Tail = None, None
			}
			h.Expire(now, 8, drop)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d fragments", n, len(fragments))
	}
}

// Whatever bytes come, a fragment has one fate, and bounds hold.
func FuzzAdd(f *testing.F) {
	f.Add([]byte{1, 0, 8, 1, 1, 1, 8, 0, 2, 3, 1, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		h := newHolder(Config{Datagrams: 8, Held: 4})
		went := map[uint16]bool{}
		for now := int64(0); len(script) >= 4; script, now = script[4:], now+1e9 {
			id, from, size := uint16(script[0]&3), 8*int(script[1]), int(script[2])
			more := script[3]&1 == 1
			if from == 0 && !more || size == 0 {
				continue
			}
			v, u, _, _ := h.add(piece(id, from, size, more), now)
			if v == First {
				went[id] = true
			}
			if v == Go && (!went[id] || !u.Known) {
				t.Errorf("a fragment of datagram %d goes on, and its first has not come", id)
			}
			if h.t.Held() > 4 || h.t.Len() > 8 {
				t.Fatalf("%d held in %d datagrams", h.t.Held(), h.t.Len())
			}
		}
	})
}
