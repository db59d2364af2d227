package main

import (
	"context"
	"time"
)

// plan is when a worker starts to drain and when it leaves whatever is unanswered. Both are zero if it may live for ever.
type plan struct{ drain, quit time.Time }

const (
	// maxMargin is how long before its deadline a worker drains if the gateway does not say; a tenth of its life if that
	// is less.
	maxMargin = 20 * time.Second
	// quitMargin is how long before its deadline a worker leaves: an answer that the platform cuts off is a failure, and
	// SIGTERM comes only with the deadline itself.
	quitMargin = 500 * time.Millisecond
)

// planOf makes the plan of an invocation that began then.
func planOf(ctx context.Context, began time.Time, margin time.Duration) plan {
	deadline, ok := ctx.Deadline()
	if !ok {
		return plan{}
	}
	life := deadline.Sub(began)
	if margin <= 0 {
		margin = min(maxMargin, life/10)
	}
	quit := deadline.Add(-min(quitMargin, life/20))
	drain := deadline.Add(-margin)
	if drain.After(quit) {
		drain = quit
	}
	if drain.Before(began) {
		drain = began
	}
	return plan{drain, quit}
}
