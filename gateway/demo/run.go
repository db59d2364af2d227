package demo

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

const (
	connections   = 2    // TCP connections each way
	udpFlows      = 4    // each way
	udpRate       = 2000 // packets a second, each way
	closedPackets = 50   // packets to a port that no rule accepts
	// window bounds what the TCP connections have in flight, so that they queue nowhere for long and delays mean
	// something; it costs no rate.
	window = 128 << 10
)

// run is one demonstration: the traffic, the kill and what came of them.
type run struct {
	config  Config
	topo    *topo.Topo
	gateway *rig.Gateway
	view    *view

	began  time.Time
	meters meters
	tcp    [2]traffic.TCPResult // by the side that sends
	udp    [2]traffic.UDPResult
	closed traffic.UDPResult
	kill   kill
	final  *rig.Status
}

// meters count while traffic runs, by the side that sends.
type meters struct{ tcp, udp [2]traffic.Meter }

// kill is what happened to the worker.
type kill struct {
	worker, successor uint32
	pid               int
	at                time.Duration // after the traffic began
	took              time.Duration // until the successor was active
}

// run sends the traffic, kills the worker half-way, and waits until nothing is in flight.
func (r *run) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if len(errs) == 0 { // the others fail because of it
			errs = append(errs, err)
			cancel(err)
		}
	}
	start := func(what string, f func() error) {
		wg.Go(func() {
			defer func() { // a panic must not keep anything from being removed
				if p := recover(); p != nil {
					fail(fmt.Errorf("%s: panic: %v\n%s", what, p, debug.Stack()))
				}
			}()
			if err := f(); err != nil {
				fail(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	r.began = time.Now()
	for side := range 2 {
		start("TCP", func() (err error) { r.tcp[side], err = r.sendTCP(ctx, side); return err })
		start("UDP", func() (err error) { r.udp[side], err = r.sendUDP(ctx, side); return err })
	}
	start("a closed port", func() (err error) { r.closed, err = r.sendClosed(ctx); return err })
	start("the kill", func() error { return r.killWorker(ctx) })
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	r.watch(ctx, done)
	<-done
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.settle(ctx)
}

func (r *run) sendTCP(ctx context.Context, side int) (traffic.TCPResult, error) {
	from, to, address := r.ends(side)
	return traffic.TCP{From: from, To: to, Address: address, Port: tcpPort,
		Flows: connections, Duration: r.config.Traffic, Window: window, Meter: &r.meters.tcp[side]}.Run(ctx)
}

func (r *run) sendUDP(ctx context.Context, side int) (traffic.UDPResult, error) {
	from, to, address := r.ends(side)
	return traffic.UDP{From: from, To: to, Address: address, Port: udpPort,
		Flows: udpFlows, Rate: udpRate, Duration: r.config.Traffic, Meter: &r.meters.udp[side]}.Run(ctx)
}

// ends are the host on a side, the other, and the other's address.
func (r *run) ends(side int) (from, to *topo.Namespace, address string) {
	if side == 0 {
		return r.topo.Inside, r.topo.Outside, topo.OutsideIP
	}
	return r.topo.Outside, r.topo.Inside, topo.InsideIP
}

// sendClosed shows that the firewall is one.
func (r *run) sendClosed(ctx context.Context) (traffic.UDPResult, error) {
	return traffic.UDP{From: r.topo.Outside, To: r.topo.Inside, Address: topo.InsideIP, Port: closedPort,
		Count: closedPackets, Rate: closedPackets / 0.5, Linger: 500 * time.Millisecond}.Run(ctx)
}

// killWorker kills the active worker's process half-way, and sees which worker is active then.
func (r *run) killWorker(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(r.config.Traffic / 2):
	}
	s, err := r.gateway.Status(ctx)
	if err != nil {
		return err
	}
	worker, report, ok := rig.ActiveWorker(s)
	if !ok || report.PID <= 1 {
		return fmt.Errorf("no active worker has reported its process: %d workers, %d reports", len(s.Workers), len(s.Reports))
	}
	began := time.Now()
	if err := syscall.Kill(report.PID, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill worker %d, process %d: %w", worker, report.PID, err)
	}
	r.kill = kill{worker: worker, pid: report.PID, at: began.Sub(r.began)}
	for time.Since(began) < 10*time.Second && ctx.Err() == nil {
		if s, err = r.gateway.Status(ctx); err != nil {
			return err
		}
		for _, x := range s.Workers {
			if x.ID != worker && x.State == "active" {
				r.kill.successor, r.kill.took = x.ID, time.Since(began)
				r.view.event("%5.1f s   worker %d (process %d) killed with SIGKILL; worker %d is active now", r.kill.at.Seconds(), worker, r.kill.pid, x.ID)
				return nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("10 s after worker %d was killed no other worker is active", worker)
}

// watch shows what happens until the traffic is over.
func (r *run) watch(ctx context.Context, done <-chan struct{}) {
	tick := time.NewTicker(r.view.every())
	defer tick.Stop()
	var last sample
	for {
		select {
		case <-done:
			return
		case <-r.gateway.Exited():
			return
		case <-tick.C:
		}
		s, err := r.gateway.Status(ctx)
		if err != nil {
			continue // the traffic will tell
		}
		now := r.sample(s)
		r.view.show(r.config.Traffic, last, now)
		last = now
	}
}

// settle waits until nothing is in flight; the ledger must close.
func (r *run) settle(ctx context.Context) (err error) {
	for until := time.Now().Add(3 * time.Second); ; {
		if r.final, err = r.gateway.Status(ctx); err != nil {
			return err
		}
		if r.final.Ledger.InFlight == 0 || time.Now().After(until) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// sample is what the view shows a difference of.
func (r *run) sample(s *rig.Status) sample {
	d := sample{after: time.Since(r.began), status: s}
	for side := range 2 {
		d.tcp[side] = r.meters.tcp[side].Received.Load()
		d.udp[side] = r.meters.udp[side].Received.Load()
	}
	return d
}
