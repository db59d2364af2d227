package locallambda

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestLogTailAgainstModel: random pieces against a log that keeps everything.
func TestLogTailAgainstModel(t *testing.T) {
	draws := rand.New(rand.NewPCG(1, 2))
	tail := &logTail{logger: slog.New(slog.DiscardHandler)}
	var all []byte
	for i := range 5000 {
		if draws.IntN(500) == 0 {
			tail.begin()
			all = nil
		}
		piece := bytes.Repeat([]byte{byte('a' + i%26)}, draws.IntN(40)*draws.IntN(300))
		if n, err := tail.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
		all = append(all, piece...)
		if want := all[max(0, len(all)-tailBytes):]; !bytes.Equal(tail.last(), want) {
			t.Fatalf("after piece %d of %d bytes: %d bytes kept, expected the last %d", i, len(piece), len(tail.last()), len(want))
		}
	}
}

func TestLogLinesReachTheLogger(t *testing.T) {
	var out bytes.Buffer
	tail := &logTail{logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, piece := range []string{"one\ntw", "o\n\n", strings.Repeat("x", 3*tailBytes), "\nlast\n", "unfinished"} {
		_, _ = tail.Write([]byte(piece))
	}
	lines := strings.Count(out.String(), "function output")
	for _, want := range []string{"line=one\n", "line=two\n", "line=\"\"\n", "line=last\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%.500s", want, out.String())
		}
	}
	if lines != 5 {
		t.Errorf("%d lines, expected 5", lines)
	}
}
