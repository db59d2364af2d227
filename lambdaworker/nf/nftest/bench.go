package nftest

import (
	"testing"
	"time"
)

// Bench measures a stage by packets of the capture, in batches of 64: "alone" is the functions without parsing and the
// lookup of flows, which happen once for all functions of a stage; "whole" is with them, and with a copy of
// each frame, since functions may change it.
func Bench(b *testing.B, s Stage, capture []Packet) {
	p := s.Build(b)
	arena := make([]byte, 64<<11)
	fill := func(at int) {
		p.Start()
		used := 0
		for i := range 64 {
			k := &capture[(at+i)%len(capture)]
			data := arena[used : used+copy(arena[used:], k.Data)]
			used += len(data)
			p.Add(data, k.Wire, k.From, k.Time, 0)
		}
	}
	fill(0)
	p.Run()
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		var spent time.Duration
		for n := 0; n < b.N; n += 64 {
			fill(n)
			start := time.Now()
			p.Run()
			spent += time.Since(start)
			p.Start().Events.Take()
		}
		b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/op")
	})
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; n < b.N; n += 64 {
			fill(n)
			p.Run()
			p.Start().Events.Take()
		}
	})
}
