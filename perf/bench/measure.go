package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

// measure puts a contestant on a fresh wire and takes its probes, one after the other.
func measure(ctx context.Context, c contestant, probes []string, length time.Duration, round int, r *results) (err error) {
	tp, err := topo.New(topo.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tp.Close()) }()
	run, err := c.start(ctx, tp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.stop()) }()
	if err := warmUp(ctx, tp, run); err != nil {
		return err
	}
	for _, p := range probes {
		switch p {
		case "rtt":
			err = measureRoundTrip(ctx, tp, run, c.name, length, r)
		case "tcp":
			var bits float64
			if bits, err = transfer(ctx, tp, run.address, length); err == nil {
				r.add("tcp", c.name, bits)
			}
		case "pps":
			err = measureSmall(ctx, tp, run, c.name, length, r)
		case "cost":
			if round == 0 {
				err = measureCost(ctx, tp, run, length, r)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// warmUp: addresses are resolved, keys agreed on and caches filled before a clock runs.
func warmUp(ctx context.Context, tp *topo.Topo, run *carrier) error {
	for range 20 {
		e, err := traffic.Echo{From: tp.Inside, To: tp.Outside, Address: run.address, Rate: 1000, Count: 20, Timeout: 200 * time.Millisecond}.Run(ctx)
		if err != nil {
			return err
		}
		if e.Lost == 0 {
			return nil
		}
	}
	return errors.New("packets are lost at light load: nothing to measure")
}

func measureRoundTrip(ctx context.Context, tp *topo.Topo, run *carrier, name string, length time.Duration, r *results) error {
	e, err := traffic.Echo{From: tp.Inside, To: tp.Outside, Address: run.address, Rate: 100, Duration: length}.Run(ctx)
	if err != nil {
		return err
	}
	r.add("rtt p50", name, e.RoundTrip.Percentile(50).Seconds())
	r.add("rtt p99", name, e.RoundTrip.Percentile(99).Seconds())
	r.Lost += e.Lost
	return nil
}

// measureSmall finds how many 64-byte packets a second arrive at most. What a sender offers beyond that costs the machine's
// two cores time of which the contestant has less, so a few rates are offered: all that the sender can, and then somewhat
// more than what got through.
func measureSmall(ctx context.Context, tp *topo.Topo, run *carrier, name string, length time.Duration, r *results) error {
	best, offered := 0.0, 0.0
	for _, more := range []float64{0, 1.5, 1.2, 1.05} {
		f := flood(tp, 64)
		f.Rate, f.Duration = best*more, length/2
		got, err := f.Run(ctx)
		if err != nil {
			return err
		}
		if a := got.Arrived(); a > best {
			best, offered = a, got.Offered()
		}
	}
	r.add("pps", name, best)
	r.add("pps offered", name, offered)
	return nil
}

func flood(tp *topo.Topo, size int) traffic.Flood {
	return traffic.Flood{From: tp.Inside, To: tp.Outside, Interface: topo.HostIf, FromMAC: tp.InsideMAC, ToMAC: tp.OutsideMAC,
		Source: topo.InsideIP, Target: topo.OutsideIP, Size: size}
}
