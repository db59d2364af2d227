package locallambda

import "time"

// The first wait of a throttled Event invocation, and the longest.
const (
	eventBackoff    = time.Second
	eventBackoffMax = 5 * time.Minute
)

// enqueue runs an Event invocation behind the caller's back. Like the platform's queue it waits while the function is
// throttled or the service fails, up to Function.EventMaxAge; a function's own failure is final (the deployment sets
// MaximumRetryAttempts to 0).
func (s *Service) enqueue(inv *invocation) *apiError {
	queued := time.Now()
	started := s.spawnJob(func() {
		wait := eventBackoff
		for {
			refused := s.accept(inv)
			if refused == nil {
				return // carried by a job of its own
			}
			if time.Since(queued)+wait > inv.fn.EventMaxAge {
				s.cfg.Logger.Warn("event is too old, dropped", "function", inv.fn.Name, "request", inv.id, "last_error", refused.Error())
				return
			}
			if !s.pause(wait) {
				return
			}
			wait = min(2*wait, eventBackoffMax)
		}
	})
	if !started {
		return errClosing()
	}
	return nil
}
