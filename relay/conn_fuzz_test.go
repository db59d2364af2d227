package relay

import (
	"slices"
	"testing"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// FuzzConn lets a worker say anything, in two pieces. Whatever it says, every packet is either answered once, in order, or still
// outstanding, and nothing is told after the connection broke.
func FuzzConn(f *testing.F) {
	var w wire.ResultWriter
	w.Begin(nil, 1, 99)
	w.EndState(append(w.BeginState(), "delta"...))
	w.Verdict(0)
	w.Verdict(1)
	w.Rewritten(0, wire.RewroteHeaders, []byte("x"))
	w.Injected(1, wire.Outside, []byte("y"))
	full, _ := w.End()
	f.Add(append(slices.Clone(full), pass(nil, 2, 1, 5)...), 30)
	f.Add(wire.AppendTime(wire.AppendTime(nil, wire.TypePing, 1, 2), wire.TypeDrain, 3, 4), 17)
	f.Add(wire.AppendBye(wire.AppendReport(nil, []byte("{}"), 0, 1), wire.ByeDone, 0), 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		c := NewConn(-1, tlsrecord.Plain(), ID{}, 0, noLimit)
		for ref := range uint64(3) {
			c.Add(ref, 1, false, 60, make([]byte, 60), true, 1e9)
			if ref != 0 {
				c.sealPending()
			}
		}
		k := &collector{c: c}
		cut = min(max(cut, 0), len(data))
		for _, piece := range [][]byte{data[:cut], data[cut:]} {
			told := len(k.told)
			if c.Status() != OK {
				if c.frames(k); len(k.told) != told {
					t.Fatal("something was told after the end")
				}
				break
			}
			for len(piece) > 0 && c.Status() == OK {
				n := copy(c.in.Space(), piece)
				piece = piece[n:]
				c.in.Filled(n)
				c.frames(k)
			}
		}
		if all := append(k.refs, outstandingOf(c)...); !slices.Equal(all, []uint64{0, 1, 2}) {
			t.Fatalf("answered and outstanding: %v", all)
		}
		if c.Status() != OK && c.Reason() == ReasonNone {
			t.Fatal("ended for no reason")
		}
	})
}
