package main

import "time"

// packetClock tells the packets' time while none come: that of the newest one, and what has passed since it was seen to be the newest.
// The worker's own clock may differ from the gateway's by any amount, and packets of a capture are of another year.
type packetClock struct {
	newest int64 // ns since the Unix epoch; 0 before the first packet
	known  int64 // newest when since was set
	since  time.Time
}

// now returns the packets' time; real is the worker's.
func (c *packetClock) now(real time.Time) int64 {
	if c.newest != c.known || c.since.IsZero() {
		c.known, c.since = c.newest, real
	}
	return c.newest + int64(real.Sub(c.since))
}
