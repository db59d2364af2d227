package tlsrecord

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestInboxModel sends frames of any length, with a length before each, in pieces of any length, and reads them as a receiver of
// frames does.
func TestInboxModel(t *testing.T) {
	for _, secure := range []bool{true, false} {
		r := rand.New(rand.NewPCG(7, 8))
		s, o := Plain().Seal, Plain().Open
		if secure {
			s, o = pair(t, tls.TLS_AES_128_GCM_SHA256)
		}
		in := NewInbox(o, 100, 0)
		var stream []byte
		var want [][]byte
		got := 0
		for len(want) < 600 || got < len(want) {
			if len(want) < 600 {
				n := r.IntN(3000)
				if r.IntN(60) == 0 {
					n = r.IntN(1 << 19)
				}
				frame := binary.LittleEndian.AppendUint32(nil, uint32(n))
				for range n {
					frame = append(frame, byte(len(want)))
				}
				want = append(want, frame)
				stream = s.Append(stream, frame)
			}
			for len(stream) > 0 && (r.IntN(3) > 0 || len(want) == 600) {
				space := in.Space()
				if len(space) == 0 {
					t.Fatal("no space")
				}
				n := copy(space[:min(len(space), 1+r.IntN(40000))], stream)
				stream = stream[n:]
				if fault := in.Filled(n); fault != FaultNone {
					t.Fatal(fault)
				}
				for len(in.Bytes()) >= 4 {
					b := in.Bytes()
					size := 4 + int(binary.LittleEndian.Uint32(b))
					if len(b) < size {
						in.Need(size)
						break
					}
					if !bytes.Equal(b[:size], want[got]) {
						t.Fatalf("frame %d differs", got)
					}
					got++
					in.Consume(size)
				}
			}
		}
	}
}
