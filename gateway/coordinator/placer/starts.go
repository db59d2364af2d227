package placer

import "time"

// Starts says when workers of a stage may be started. What does not prove itself is started further and further apart; a worker that had
// proved itself and was lost is replaced at once, however long others are held back.
type Starts struct {
	Min, Max time.Duration // between starts that fail
	fails    int           // rounds that failed since one proved itself
	retryAt  time.Time
	free     int // places that lost a worker which had proved itself, and have not had their start for that
}

// Allowed returns how many of wanted workers may be started at now.
func (s *Starts) Allowed(now time.Time, wanted int) int {
	if !now.Before(s.retryAt) {
		return max(wanted, 0)
	}
	return max(min(wanted, s.free), 0)
}

// Started says that n were.
func (s *Starts) Started(n int) { s.free = max(s.free-n, 0) }

// Lost says that a worker was lost that had proved itself: its place has a start free.
func (s *Starts) Lost() { s.free++ }

// Unneeded says that nothing is to be started: what is lost later is another matter.
func (s *Starts) Unneeded() { s.free = 0 }

// Failed says that a start came to nothing, or a worker went before it had proved itself. Failures of workers that were started
// together are one.
func (s *Starts) Failed(now time.Time) {
	if now.Before(s.retryAt) {
		return
	}
	d := s.Min << min(s.fails, 20)
	if d > s.Max || d <= 0 {
		d = s.Max
	}
	s.fails++
	s.retryAt = now.Add(d)
}

// Proved says that a worker has proved itself.
func (s *Starts) Proved() { s.fails = 0 }

// RetryAt is until when starts that are not free wait; the zero time if they don't.
func (s *Starts) RetryAt() time.Time { return s.retryAt }
