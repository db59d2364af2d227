package console

import (
	"fmt"
	"io"
	"time"
)

// Rates is what passed between two looks at a gateway.
type Rates struct {
	PacketsPerSecond, BitsPerSecond float64 // forwarded and bypassed; bits: forwarded
	DelayP50, DelayP99              time.Duration
}

// RatesSince returns what passed since an earlier look at the same gateway; zeros if no time did.
func (s *Status) RatesSince(last *Status) (r Rates) {
	dt := s.Time.Sub(last.Time).Seconds()
	if dt <= 0 {
		return r
	}
	r.PacketsPerSecond = float64(s.Ledger.Forwarded+s.Ledger.Bypassed-last.Ledger.Forwarded-last.Ledger.Bypassed) / dt
	r.BitsPerSecond = float64(s.Ledger.ForwardedBytes-last.Ledger.ForwardedBytes) * 8 / dt
	r.DelayP50, r.DelayP99 = s.DelaySince(last)
	return r
}

// Print writes the rates on one line.
func (r Rates) Print(w io.Writer) {
	fmt.Fprintf(w, "%.0f packets/s, %.2f Gbit/s, delay p50 <= %s, p99 <= %s\n", r.PacketsPerSecond, r.BitsPerSecond/1e9, r.DelayP50, r.DelayP99)
}
