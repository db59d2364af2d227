package traffic

import (
	"context"
	"time"
)

// pace says how many packets are due. Where the sender was late it catches up, at most catchUp's worth: more would be a
// burst that nobody asked for.
type pace struct {
	rate  float64 // packets a second; 0: as many as there can be
	began time.Time
	sent  float64
}

const catchUp = 20 * time.Millisecond

// due waits until a packet is due or ctx ends, and returns how many are, at most most.
func (p *pace) due(ctx context.Context, most int) int {
	if p.rate == 0 {
		return most
	}
	for {
		owed := time.Since(p.began).Seconds()*p.rate - p.sent
		if allowed := catchUp.Seconds()*p.rate + 1; owed > allowed {
			p.sent += owed - allowed
			owed = allowed
		}
		if owed >= 1 {
			n := min(int(owed), most)
			p.sent += float64(n)
			return n
		}
		wait := time.Duration((1 - owed) / p.rate * 1e9)
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(wait):
		}
	}
}
