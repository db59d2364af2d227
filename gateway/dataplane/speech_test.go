package dataplane

import (
	"bytes"
	"testing"
	"time"

	"github.com/granule-nf/granule/relay"
)

// A worker that floods with events loses its own; another one's on the same shard are passed on, all of them.
func TestEventsOfOthersAreNotCrowdedOut(t *testing.T) {
	r := newRig(t, nil)
	var passed [2]int
	lost := uint64(0)
	r.s.hooks.Events = func(_ int, lines []byte, _ uint32) {
		if bytes.HasPrefix(lines, []byte("flood")) {
			passed[0] += len(lines)
		} else {
			passed[1] += len(lines)
		}
	}
	r.s.hooks.EventsLost = func(_ int, n uint64) { lost += n }
	a, b := r.hire(1), r.hire(2)
	flood := bytes.Repeat([]byte("flood 0123456789 0123456789 0123456789 0123456789 0123456789 60\n"), 8<<10) // 512 KiB
	honest := []byte("alert\n")
	for range 100 {
		a.answers = append(a.answers, func(h relay.Handler) {
			for range 4 {
				h.Events(flood, 0)
			}
		})
		b.answers = append(b.answers, func(h relay.Handler) { h.Events(honest, 0) })
		a.poke()
		b.poke()
		r.turn(1)
	}
	if passed[1] != 100*len(honest) {
		t.Errorf("%d bytes of the honest worker's %d were passed on", passed[1], 100*len(honest))
	}
	if passed[0] > speechBurst+speechPerSecond || lost != uint64((400*len(flood)-passed[0])/64) {
		t.Errorf("%d bytes of the flood were passed on, and %d lines counted as lost", passed[0], lost)
	}
	var s speech
	for now := int64(1); now < int64(10*time.Second); now += int64(100 * time.Millisecond) {
		if !s.take(now, speechPerSecond/10) {
			t.Fatalf("a worker that says as much as it may was cut short after %v", time.Duration(now))
		}
	}
}
