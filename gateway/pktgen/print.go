package pktgen

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Print writes a trial for a person.
func (r Result) Print(w io.Writer) error {
	var errs []error
	for _, d := range r.Directions {
		_, err := fmt.Fprintf(w, `%s > %s: %d flows, frames of %.0f bytes, %.1f s
  offered    %s
  received   %s, %s, %s on the wire
  lost       %d of %d (%.4f %%), reordered %d, duplicated %d, frames of others %d
  delay      min %s, mean %s, p50 %s, p99 %s, p99.9 %s, max %s
`, d.From, d.To, d.Flows, d.MeanFrame, d.Seconds, pps(d.OfferedPPS), pps(d.PPS), bps(d.BPS), bps(d.WireBPS),
			d.Lost, d.Sent, d.LossRatio*100, d.Reordered, d.Duplicated, d.Foreign,
			short(d.Delay.Min), short(d.Delay.Mean), short(d.Delay.P50), short(d.Delay.P99), short(d.Delay.P999), short(d.Delay.Max))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// PrintHead writes the head of the table of SizeReports.
func PrintHead(w io.Writer) {
	fmt.Fprintf(w, "%6s  %15s  %14s  %15s  %8s  %8s  %8s  %s\n", "frame", "throughput", "", "ceiling", "p50", "p99", "max", "loss at 100, 90, 80 ... % of the ceiling")
}

// Print writes one line of that table.
func (r SizeReport) Print(w io.Writer) {
	mark := ""
	if r.Bounded {
		mark = " (the generator's limit)"
	}
	loss := ""
	for _, l := range r.Loss {
		loss += fmt.Sprintf(" %.3g%%", l.LossRatio*100)
	}
	fmt.Fprintf(w, "%6d  %15s  %14s  %15s  %8s  %8s  %8s %s%s\n", r.Size, pps(r.Throughput), bps(r.BPS), pps(r.Ceiling),
		short(r.Delay.P50), short(r.Delay.P99), short(r.Delay.Max), loss, mark)
}

func pps(v float64) string { return fmt.Sprintf("%.0f frames/s", v) }

func bps(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f Gbit/s", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.1f Mbit/s", v/1e6)
	}
	return fmt.Sprintf("%.1f kbit/s", v/1e3)
}

// short rounds to three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}
