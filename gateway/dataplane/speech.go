package dataplane

// speech is what a worker may say in events on one connection: what one has too many of must not crowd out those of others, who share
// the way to the disk with it.
type speech struct {
	left float64 // bytes
	last int64   // when it was refilled
}

const (
	speechPerSecond = 8 << 20 // bytes: some 13,000 alerts
	speechBurst     = 1 << 20 // a quarter of what waits for the disk in a lane
)

// take uses n bytes of it at time now; false, and nothing is used, if there is not as much.
func (s *speech) take(now int64, n int) bool {
	if s.last == 0 {
		s.left = speechBurst
	} else {
		s.left = min(s.left+float64(now-s.last)*(speechPerSecond/1e9), speechBurst)
	}
	s.last = now
	if float64(n) > s.left {
		return false
	}
	s.left -= float64(n)
	return true
}
