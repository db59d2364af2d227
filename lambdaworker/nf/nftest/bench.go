package nftest

import (
	"runtime"
	"slices"
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

// BenchMany measures a stage that knows n conversations: packet i of a round is make(i), the bytes of one frame written into the buffer that it is given. It
// reports the time in functions alone, per packet, and what the stage has allocated per conversation.
func BenchMany(b *testing.B, s Stage, n int, make func(frame []byte, i int) []byte) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := s.Build(b)
	frames := [64][128]byte{}
	now := Start
	batch := func(at int) time.Duration {
		p.Start()
		for i := range frames {
			data := make(frames[i][:0], (at+i)%n)
			p.Add(data, uint32(len(data)), 0, now, 0)
		}
		start := time.Now()
		p.Run()
		d := time.Since(start)
		p.Start().Events.Take()
		return d
	}
	for at := 0; at < n; at += len(frames) {
		batch(at)
		now += 1000
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	b.ResetTimer()
	var spent []time.Duration
	for at := 0; at < b.N; at += len(frames) {
		spent = append(spent, batch(at*7919%n)) // far from the last one
	}
	slices.Sort(spent)
	b.ReportMetric(float64(spent[len(spent)/2].Nanoseconds())/float64(len(frames)), "ns/op") // the median: who shares the machine is not measured
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/conversation")
}
