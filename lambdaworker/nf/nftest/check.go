package nftest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

func sorted(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }

// Golden compares text with testdata/name; with GRANULE_UPDATE=1 in the environment it writes that file instead.
func Golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GRANULE_UPDATE") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with GRANULE_UPDATE=1 to make it, and read what it made", err)
	}
	if string(want) != text {
		t.Errorf("not what %s has:\n%s", path, diff(string(want), text))
	}
}

// ZeroAlloc runs the capture over and over through one instance and fails if it allocates once warm. Every branch that the
// capture reaches is covered, the one that writes events too.
func ZeroAlloc(t *testing.T, s Stage, capture []Packet) {
	t.Helper()
	if raceEnabled {
		t.Log("the race detector allocates; what is measured without it is not measured here")
		return
	}
	p := s.Build(t)
	feeder := newFeeder(capture)
	delta := make([]byte, 0, 1<<20)
	run := func() {
		feeder.run(p, func(*nf.Batch) { delta = p.AppendChanges(delta[:0]) })
	}
	for range 3 {
		run()
	}
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("%v allocations for %d packets, want 0", n, len(capture))
	}
	if p.Panics() > 0 {
		t.Errorf("%d panics; the first: %s", p.Panics(), panics(p))
	}
}

// Malformed shows the function every packet of the malformed corpus and every packet cut short, from both sides: it
// must not panic, must judge each, and must not take long.
func Malformed(t *testing.T, s Stage) {
	t.Helper()
	p := s.Build(t)
	start := time.Now()
	n, judged := 0, 0
	for _, path := range CorpusFiles(t, "malformed") {
		var capture []Packet
		for _, k := range ReadPCAP(t, path) {
			capture = append(capture, k)
			k.From ^= 1
			capture = append(capture, k)
			for _, cut := range []int{15, 20, 34, 38, 42, 54, 60, 74, 100} {
				if cut < len(k.Data) {
					k.Data = k.Data[:cut:cut]
					capture = append(capture, k)
				}
			}
		}
		n += len(capture)
		var r Result
		r.feed(p, capture, 0, 64, nil)
		judged += len(r.Packets)
		if p.Panics() > 0 {
			t.Fatalf("%s: panic: %s", filepath.Base(path), panics(p))
		}
	}
	if judged != n {
		t.Errorf("%d packets judged of %d", judged, n)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("%d packets took %v", n, d)
	}
}

func panics(p *nf.Pipeline) string {
	for _, r := range p.Reports() {
		if r.Panic != "" {
			return r.Panic
		}
	}
	return ""
}

// feeder shows a capture to a pipeline again and again without allocating: frames are copied into one buffer, since functions may
// change them, and each round's times follow the last round's.
type feeder struct {
	capture []Packet
	arena   []byte
	shift   int64
	length  int64
}

func newFeeder(capture []Packet) *feeder {
	size := 0
	for _, k := range capture {
		size += len(k.Data)
	}
	length := int64(time.Second)
	if len(capture) > 0 {
		length += capture[len(capture)-1].Time - capture[0].Time
	}
	return &feeder{capture: capture, arena: make([]byte, size), length: length}
}

func (f *feeder) run(p *nf.Pipeline, after func(*nf.Batch)) {
	at := 0
	b := p.Start()
	flush := func() {
		b = p.Run()
		after(b)
		b.Events.Take()
		b = p.Start()
	}
	for i := range f.capture {
		k := &f.capture[i]
		if len(b.Packets) == 64 || !p.Room(k.Time+f.shift) {
			flush()
		}
		data := f.arena[at : at+copy(f.arena[at:], k.Data)]
		at += len(data)
		p.Add(data[:len(data):len(data)], k.Wire, k.From, k.Time+f.shift, uint64(i+1))
	}
	flush()
	f.shift += f.length
}
