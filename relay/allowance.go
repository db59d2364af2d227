package relay

// allowance bounds what a worker sends that nobody asked for: frames that answer no batch, and records, which cost as much to open with one
// byte in them as with thousands. What it is asked gives it more; besides, some may come every second.
type allowance struct {
	left int64 // in units of a nanosecond's share
	last int64 // when it was refilled, the caller's clock
}

const (
	allowedBurst  = 2048
	allowedSecond = 512
	unit          = 1e9 / allowedSecond // ns
)

func newAllowance() allowance { return allowance{left: allowedBurst * unit} }

// refill adds what the time since the last call allows.
func (a *allowance) refill(now int64) {
	if now > a.last {
		if a.last != 0 {
			a.left = min(a.left+min(now-a.last, allowedBurst*unit), allowedBurst*unit)
		}
		a.last = now
	}
}

// give allows n more, up to a burst in all.
func (a *allowance) give(n int) { a.left = min(a.left+int64(n)*unit, allowedBurst*unit) }

// take uses n of it; false if there are no more.
func (a *allowance) take(n int) bool {
	a.left -= int64(n) * unit
	return a.left >= 0
}

// What one answered batch, one ping and one request for a report bring back at most, in frames and, each flushed by itself, records: a
// result with events behind it; a pong; a report with the load and the events of flows that have ended.
const (
	perBatch  = 4
	perPing   = 2
	perReport = 16
	// bytesPerRecord is how much a worker that has something to say puts into a record at least, in the mean.
	bytesPerRecord = 2048
)

// allow gives the worker n more frames and records.
func (c *Conn) allow(n int) {
	c.frameRate.give(n)
	c.recordRate.give(n)
}

// countRecords counts those that came with n bytes; false if there were too many.
func (c *Conn) countRecords(n int) bool {
	c.frameRate.refill(c.now)
	c.recordRate.refill(c.now)
	c.recordRate.give(n / bytesPerRecord)
	opened := c.in.Records()
	more := opened - c.records
	c.records = opened
	return c.recordRate.take(int(more))
}
