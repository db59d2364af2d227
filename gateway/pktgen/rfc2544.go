package pktgen

import (
	"context"
	"fmt"
	"time"
)

// Benchmark is how RFC 2544 is followed. The zero value of a field takes the default in parentheses; RFC 2544 itself asks for trials
// of 60 s and no loss.
type Benchmark struct {
	Base      Config        // everything but sizes, rate and duration
	Sizes     []int         // of frames with FCS, each tested by itself (64 128 256 512 1024 1280 1518, section 9.1)
	Trial     time.Duration // (60 s)
	Tolerance float64       // share of frames that may be lost and the trial still counts as without loss (0)
	Precision float64       // the search ends when it knows the throughput to this share (0.02)
	LineRate  float64       // bit/s of the link; 0: unknown, the generator's own ceiling is where the search begins
}

// StandardSizes are those of RFC 2544 section 9.1 for Ethernet.
var StandardSizes = []int{64, 128, 256, 512, 1024, 1280, 1518}

// SizeReport is what a frame size came to.
type SizeReport struct {
	Size       int         `json:"frame_bytes"`
	Ceiling    float64     `json:"ceiling_pps"`    // offered flat out by this generator, whatever of it arrived
	Throughput float64     `json:"throughput_pps"` // section 26.1: the highest offered rate without loss
	BPS        float64     `json:"throughput_bps"`
	Bounded    bool        `json:"bounded_by_generator"` // no loss at the ceiling: what was tested may be faster
	Delay      Delay       `json:"delay"`                // section 26.2, of a trial at the throughput; all frames, not one in the middle
	Loss       []LossPoint `json:"loss"`                 // section 26.3
	Trials     int         `json:"trials"`
}

// LossPoint is the loss at a share of the highest rate.
type LossPoint struct {
	Share      float64 `json:"share_of_ceiling"`
	OfferedPPS float64 `json:"offered_pps"`
	LossRatio  float64 `json:"loss_ratio"`
}

// trial runs one; in tests it is a model of a device.
type trial func(ctx context.Context, c Config) (Result, error)

// maxTrials bounds the search for one size: a device that loses a frame now and then at any rate would keep it busy for ever.
const maxTrials = 20

// Run tests each size in turn and gives its report to each.
func (b Benchmark) Run(ctx context.Context, g *Generator, progress func(size int, what string) Progress, each func(SizeReport)) error {
	if len(b.Sizes) == 0 {
		b.Sizes = StandardSizes
	}
	if b.Trial == 0 {
		b.Trial = 60 * time.Second
	}
	if b.Precision == 0 {
		b.Precision = 0.02
	}
	for _, size := range b.Sizes {
		r, err := b.size(ctx, size, func(ctx context.Context, c Config) (Result, error) {
			return g.Trial(ctx, c, progress(size, rateWord(c.Rate)))
		})
		if err != nil {
			return fmt.Errorf("frames of %d bytes: %w", size, err)
		}
		each(r)
	}
	return nil
}

func rateWord(pps float64) string {
	if pps == 0 {
		return "flat out"
	}
	return fmt.Sprintf("%.0f frames/s", pps)
}

// size does the three tests of one frame size: throughput by bisection, delay there, loss in steps of a tenth.
func (b Benchmark) size(ctx context.Context, size int, run trial) (SizeReport, error) {
	report := SizeReport{Size: size}
	at := func(rate float64) (Result, error) {
		c := b.Base
		c.Sizes, c.Rate, c.Duration = []Share{{size, 1}}, rate, b.Trial
		report.Trials++
		return run(ctx, c)
	}
	most := 0.0
	if b.LineRate > 0 {
		most = b.LineRate / float64((size+wireGap)*8)
	}
	flatOut, err := at(most)
	if err != nil {
		return report, err
	}
	report.Ceiling = offered(flatOut)
	low, high := 0.0, report.Ceiling
	best := flatOut
	if b.lossless(flatOut) {
		low, report.Bounded = high, true
	}
	for high-low > b.Precision*high && report.Trials < maxTrials {
		mid := (low + high) / 2
		r, err := at(mid)
		if err != nil {
			return report, err
		}
		if b.lossless(r) {
			low, best = mid, r
		} else {
			high = mid
		}
	}
	if low > 0 {
		report.Throughput, report.BPS, report.Delay = low, low*float64(size)*8, worst(best)
	}
	return report, b.lossCurve(&report, flatOut, at)
}

// lossCurve goes down from the highest rate in steps of a tenth until two in a row lose nothing (section 26.3).
func (b Benchmark) lossCurve(report *SizeReport, flatOut Result, at func(float64) (Result, error)) error {
	quiet := 0
	for tenth := 10; tenth > 0 && quiet < 2; tenth-- {
		r, share := flatOut, float64(tenth)/10
		if tenth < 10 {
			var err error
			if r, err = at(report.Ceiling * share); err != nil {
				return err
			}
		}
		report.Loss = append(report.Loss, LossPoint{Share: share, OfferedPPS: offered(r), LossRatio: lossOf(r)})
		if b.lossless(r) {
			quiet++
		} else {
			quiet = 0
		}
	}
	return nil
}

func (b Benchmark) lossless(r Result) bool { return lossOf(r) <= b.Tolerance }

// offered and lossOf are of all directions together; worst is the delay of the slower one.
func offered(r Result) (pps float64) {
	for _, d := range r.Directions {
		pps = max(pps, d.OfferedPPS)
	}
	return pps
}

func lossOf(r Result) float64 {
	var sent, lost uint64
	for _, d := range r.Directions {
		sent, lost = sent+d.Sent, lost+d.Lost
	}
	if sent == 0 {
		return 1
	}
	return float64(lost) / float64(sent)
}

func worst(r Result) (w Delay) {
	for _, d := range r.Directions {
		if d.Delay.P99 >= w.P99 {
			w = d.Delay
		}
	}
	return w
}
