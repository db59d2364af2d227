package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
)

// costRate is how many 1500-byte packets a second are offered while costs are counted: 1.2 Gbit/s.
const costRate = 100_000

// costs are the counters that packets raise.
type costs struct {
	at             time.Time
	gatewayMallocs float64
	worker         rig.Report
	workerID       uint32
}

// measureCost counts heap objects and connection bytes a packet. Scrapes, reports and other work that goes by the second
// allocate too, so an idle stretch of the same length is measured first and taken off.
func measureCost(ctx context.Context, tp *topo.Topo, run *carrier, length time.Duration, r *results) error {
	length = max(length, 1500*time.Millisecond) // a worker reports once a second
	f := flood(tp, 1518)                        // with FCS: an MTU of 1500 used to the full
	f.Rate, f.Duration = costRate, length
	if _, err := f.Run(ctx); err != nil { // whatever grows has grown
		return err
	}
	before, err := readCosts(ctx, run.gateway)
	if err != nil {
		return err
	}
	time.Sleep(length + length/10)
	idle, err := readCosts(ctx, run.gateway)
	if err != nil {
		return err
	}
	if _, err := f.Run(ctx); err != nil {
		return err
	}
	busy, err := readCosts(ctx, run.gateway)
	if err != nil {
		return err
	}
	packets := float64(busy.worker.Packets - idle.worker.Packets)
	if packets < 1000 || busy.workerID != before.workerID {
		return fmt.Errorf("only %.0f packets crossed worker %d (at first %d)", packets, busy.workerID, before.workerID)
	}
	perSecond := func(a, b costs, v func(costs) float64) float64 { return (v(b) - v(a)) / b.at.Sub(a.at).Seconds() }
	seconds := busy.at.Sub(idle.at).Seconds()
	for _, c := range []struct {
		name    string
		mallocs func(costs) float64
	}{
		{"gateway", func(c costs) float64 { return c.gatewayMallocs }},
		{"worker", func(c costs) float64 { return float64(c.worker.Mallocs) }},
	} {
		background := perSecond(before, idle, c.mallocs) * seconds
		r.add("heap objects", c.name, max(0, c.mallocs(busy)-c.mallocs(idle)-background)/packets)
		r.add("heap objects, raw", c.name, (c.mallocs(busy)-c.mallocs(idle))/packets)
	}
	r.add("bytes", nameGranule, float64(busy.worker.BytesIn+busy.worker.BytesOut-idle.worker.BytesIn-idle.worker.BytesOut)/packets)
	r.add("bytes to worker", nameGranule, float64(busy.worker.BytesIn-idle.worker.BytesIn)/packets)
	r.add("bytes from worker", nameGranule, float64(busy.worker.BytesOut-idle.worker.BytesOut)/packets)
	r.add("batch", nameGranule, packets/max(float64(busy.worker.Batches-idle.worker.Batches), 1))
	s, err := run.gateway.Status(ctx)
	if err != nil {
		return err
	}
	r.SlotBytes, r.FlowBytes = s.Memory.SlotBytes, s.Memory.FlowBytes
	return nil
}

// readCosts waits for a worker's report that is newer than now, so that it covers all that has been sent.
func readCosts(ctx context.Context, g *rig.Gateway) (c costs, err error) {
	var first rig.Report
	for look, until := 0, time.Now().Add(5*time.Second); time.Now().Before(until); look++ {
		s, err := g.Status(ctx)
		if err != nil {
			return c, err
		}
		id, report, ok := rig.ActiveWorker(s)
		if ok && first == (rig.Report{}) {
			first = report
		}
		if ok && report.BytesOut != first.BytesOut { // each report is bytes, too
			c.workerID, c.worker, c.at = id, report, time.Now()
			c.gatewayMallocs, err = g.Metric(ctx, "go_memstats_mallocs_total")
			return c, err
		}
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return c, errors.New("no worker has reported for 5 s")
}
