package afxdp

import (
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/perf/topo"
)

// BenchmarkForward is what a port costs a 64-byte frame, as ns/frame: receive, copy to the other port, send, release, and the
// kernel's veth work for sending; not the sender's, which ns/op holds too. Frames come in bursts of 128.
func BenchmarkForward(b *testing.B) {
	tp := newTopo(b, topo.Config{})
	w := openWire(b, tp, func(c *WireConfig) { c.Port = Config{} })
	tap := openTap(b, tp.Inside)
	frames, ids := make([]ingress.Frame, 128), make([]uint32, 0, 128)
	across(w, frames, ids) // the first beat
	data := testFrame(1, 64)
	var spent time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for moved := 0; moved < b.N; {
		burst := min(128, b.N-moved)
		for range burst {
			if err := tap.Send(data); err != nil {
				b.Fatal(err)
			}
		}
		start := time.Now()
		for got := 0; got < burst; {
			got += across(w, frames, ids)
		}
		spent += time.Since(start)
		moved += burst
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/frame")
}
