package pktgen

import (
	"context"
	"math"
	"testing"
	"time"
)

// device forwards up to a rate and loses what is above; the generator offers at most its ceiling.
func device(capacity, ceiling float64) trial {
	return func(_ context.Context, c Config) (Result, error) {
		rate := ceiling
		if c.Rate > 0 {
			rate = min(c.Rate, ceiling)
		}
		sent := uint64(rate * c.Duration.Seconds())
		lost := uint64(max(0, rate-capacity) * c.Duration.Seconds())
		d := Direction{Sent: sent, Lost: lost, OfferedPPS: rate, Delay: Delay{P99: time.Duration(rate)}}
		return Result{Directions: []Direction{d}}, nil
	}
}

func TestThroughputIsFound(t *testing.T) {
	b := Benchmark{Trial: time.Second, Precision: 0.01}
	for _, capacity := range []float64{1e4, 123456, 9.9e5} {
		r, err := b.size(t.Context(), 64, device(capacity, 1e6))
		if err != nil {
			t.Fatal(err)
		}
		if r.Bounded || r.Throughput > capacity+1 || r.Throughput < capacity-0.011*math.Max(capacity, 1e4) {
			t.Errorf("capacity %.0f: found %.0f in %d trials, bounded %v", capacity, r.Throughput, r.Trials, r.Bounded)
		}
		if r.Delay.P99 != time.Duration(r.Throughput) {
			t.Errorf("delay %d is not of the trial at %.0f", r.Delay.P99, r.Throughput)
		}
		if last := r.Loss[len(r.Loss)-1]; capacity > 3e5 && last.LossRatio != 0 || r.Loss[0].LossRatio == 0 {
			t.Errorf("capacity %.0f: loss %+v", capacity, r.Loss)
		}
	}
}

func TestAFasterDeviceIsSaidToBe(t *testing.T) {
	r, err := Benchmark{Trial: time.Second, Precision: 0.01}.size(t.Context(), 64, device(2e6, 1e6))
	if err != nil || !r.Bounded || r.Throughput != 1e6 || len(r.Loss) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestADeviceThatForwardsNothing(t *testing.T) {
	r, err := Benchmark{Trial: time.Second, Precision: 0.01}.size(t.Context(), 64, device(0, 1e6))
	if err != nil || r.Throughput != 0 || r.Trials > maxTrials+9 {
		t.Errorf("%+v, %v", r, err)
	}
}
