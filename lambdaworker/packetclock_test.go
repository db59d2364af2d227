package main

import (
	"testing"
	"time"
)

func TestPacketClockGoesOnFromTheNewestPacket(t *testing.T) {
	var c packetClock
	real := time.Unix(5000, 0)
	for _, step := range []struct {
		newest int64
		real   time.Duration
		want   time.Duration // behind 100 s
	}{
		{100e9, 0, 0},
		{100e9, time.Second, time.Second},
		{100e9, time.Minute, time.Minute},
		{200e9, 2 * time.Minute, 100 * time.Second}, // a packet came
		{200e9, 3 * time.Minute, 160 * time.Second},
	} {
		c.newest = step.newest
		if got := c.now(real.Add(step.real)) - 100e9; got != int64(step.want) {
			t.Errorf("newest %d, %v later: %v, want %v", step.newest, step.real, time.Duration(got), step.want)
		}
	}
}
