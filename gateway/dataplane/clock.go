package dataplane

import "time"

// clock is the shard's time: it is read once a turn, and everything in that turn happens then.
type clock struct {
	began time.Time
	now   int64 // ns since the Unix epoch when the shard began, and monotonic from there
	step  int64 // ns by which the system's clock has been set since then; for what workers are told
}

func newClock() clock { return clock{began: time.Now()} }

// read begins a turn. When somebody sets the system's clock no packet becomes late by that, and the heartbeat does not stop.
func (c *clock) read() { c.now = c.began.UnixNano() + int64(time.Since(c.began)) }

// wall is what the system's clock shows, ns since the Unix epoch.
func (c *clock) wall() int64 { return c.now + c.step }

// follow takes over what the system's clock has been set by. Less than a millisecond is the time since the turn began.
func (c *clock) follow() {
	if step := time.Now().UnixNano() - c.now; step-c.step > int64(time.Millisecond) || c.step-step > int64(time.Millisecond) {
		c.step = step
	}
}
