package stream

import (
	"encoding/binary"
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// FuzzPackets feeds arbitrary segments: 12 bytes of header each, then as many of payload as the header says.
func FuzzPackets(f *testing.F) {
	f.Add([]byte{0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, false)
	f.Add([]byte{0, 16, 0, 1, 0, 0, 0, 9, 0, 0, 2, 0, 1, 2}, true)
	f.Fuzz(func(t *testing.T, b []byte, inline bool) {
		a := arena.New(1 << 20)
		tr := New(Config{Flows: 2, Segments: 64, Arena: a, Inline: inline, Midstream: true, Raw: true, Depth: 5000})
		exercise(tr, b)
		tr.Forget(0)
		if a.Used() != 0 {
			t.Fatalf("%d bytes leaked", a.Used())
		}
	})
}

func exercise(tr *Tracker, b []byte) {
	var r Result
	var c Chunk
	for len(b) >= 12 {
		g := Segment{
			Reverse: b[0]&1 != 0, Flags: b[1], Seq: uint32(binary.BigEndian.Uint16(b[2:])), Ack: uint32(binary.BigEndian.Uint16(b[4:])),
			Window: binary.BigEndian.Uint16(b[6:]), BadChecksum: b[0]&2 != 0,
		}
		n := min(int(binary.BigEndian.Uint16(b[8:]))%2000, len(b)-12)
		if b[0]&4 != 0 {
			g.Seq -= 0x8000
		}
		g.Payload, g.Options = b[12:12+n], b[10:12]
		b = b[12+n:]
		tr.Packet(0, &g, &r)
		for d := proto.ToServer; d <= proto.ToClient; d++ {
			for tr.Next(0, d, &c) {
			}
			if _, _, _, due := tr.Raw(0, d); due {
				tr.RawDone(0, d)
			}
		}
	}
	tr.Flush(0)
	for d := proto.ToServer; d <= proto.ToClient; d++ {
		for tr.Next(0, d, &c) {
		}
		if _, _, _, due := tr.Raw(0, d); due {
			tr.RawDone(0, d)
		}
	}
}

// FuzzState applies arbitrary bytes as a flow's state, then lets segments meet it.
func FuzzState(f *testing.F) {
	tr := New(Config{Flows: 2, Arena: arena.New(1 << 20), Midstream: true, Raw: true})
	var r Result
	tr.Packet(0, &Segment{Flags: ack, Seq: 5, Ack: 7, Payload: []byte("abc")}, &r)
	tr.Packet(0, &Segment{Flags: ack, Seq: 15, Ack: 7, Payload: []byte("abc")}, &r)
	f.Add(tr.AppendState(0, nil), []byte{0, 16, 0, 9, 0, 0, 0, 9, 0, 0, 2, 0, 1, 2})
	f.Fuzz(func(t *testing.T, state, b []byte) {
		a := arena.New(1 << 20)
		tr := New(Config{Flows: 2, Segments: 64, Arena: a, Raw: true})
		tr.ApplyState(0, state)
		exercise(tr, b)
		tr.Forget(0)
		if a.Used() != 0 {
			t.Fatalf("%d bytes leaked", a.Used())
		}
	})
}
