package pktgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/xdpprog"
)

// Generator is a pair of interfaces taken for generating; trials are run on it one after the other.
type Generator struct {
	names [2]string
	macs  [2]net.HardwareAddr
	ports [2][]ingress.Port
	close func() error
	run   uint16
}

// Open takes the interfaces tx and rx: the kernel's own stack sees none of their frames until Close. It fails as a port of the gateway
// does: on an interface with an address or a default route, with a foreign XDP program, and without root.
func Open(tx, rx string, generic bool, allow []string) (*Generator, error) {
	cfg := afxdp.WireConfig{
		Instance: fmt.Sprintf("pktgen-%d", os.Getpid()), Interfaces: [2]string{tx, rx}, Override: allow,
		MaxAge: 1000 * time.Hour, Mode: xdpprog.Native, AllowGeneric: true,
		Port: afxdp.Config{RXFrames: 4096, TXRing: 2048},
	}
	if generic {
		cfg.Mode = xdpprog.Generic
	}
	w, err := afxdp.Open(cfg)
	if err != nil {
		return nil, err
	}
	g := &Generator{names: [2]string{tx, rx}, close: w.Close}
	for s := range g.ports {
		iface, err := net.InterfaceByName(g.names[s])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("interface %s: %w", g.names[s], err), w.Close())
		}
		g.macs[s] = iface.HardwareAddr
		for _, p := range w.Ports(ingress.Side(s)) {
			g.ports[s] = append(g.ports[s], p)
		}
	}
	for q := range w.Queues() {
		w.Beat(q, xdpprog.Now()) // once, for MaxAge: nothing is ever relayed between the two
	}
	return g, nil
}

// Close gives the interfaces back.
func (g *Generator) Close() error { return g.close() }

// Progress is told a few times a second how far a trial is.
type Progress func(elapsed, of time.Duration, sent, received uint64)

// Trial sends as c says and returns what became of it. It ends early with ctx, and with ctx's error.
func (g *Generator) Trial(ctx context.Context, c Config, progress Progress) (Result, error) {
	c = c.withDefaults()
	c.TX, c.RX = g.names[0], g.names[1]
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	ends := g.ends(&c)
	began := time.Now()
	clock := func() int64 { return int64(time.Since(began)) + 1 } // never 0: that is "not yet"
	var threads sync.WaitGroup
	for _, e := range ends {
		e.pace = pace{rate: c.Rate, began: clock()}
		e.until = clock() + c.Duration.Nanoseconds()
		threads.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			e.loop(clock)
		})
	}
	err := watch(ctx, ends, c.Duration, c.Drain, progress)
	for _, e := range ends {
		e.stop.Store(true)
	}
	threads.Wait()
	r := Result{Directions: []Direction{direction(ends[0], ends[1], c.TX, c.RX)}}
	if c.Bidirectional {
		r.Directions = append(r.Directions, direction(ends[1], ends[0], c.RX, c.TX))
	}
	return r, err
}

// watch waits until sending is over and the last frames had time to arrive: all of them, or drain without another one.
func watch(ctx context.Context, ends [2]*end, send, drain time.Duration, progress Progress) error {
	const tick = 50 * time.Millisecond
	t := time.NewTicker(tick)
	defer t.Stop()
	began, last, lastAt := time.Now(), uint64(0), time.Now()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		sent := ends[0].progress[0].Load() + ends[1].progress[0].Load()
		received := ends[0].progress[1].Load() + ends[1].progress[1].Load()
		if received != last {
			last, lastAt = received, time.Now()
		}
		if progress != nil {
			progress(min(time.Since(began), send), send, sent, received)
		}
		if time.Since(began) > send+tick && (received >= sent || time.Since(lastAt) > drain) {
			return nil
		}
	}
}

// ends makes both for one trial.
func (g *Generator) ends(c *Config) [2]*end {
	var ends [2]*end
	src, dst := c.TXMAC, c.RXMAC
	if src == nil {
		src = g.macs[0]
	}
	if dst == nil {
		dst = g.macs[1]
	}
	there := heading{src, dst, c.Src, c.Dst, c.VLAN}
	back := heading{dst, src, c.Dst, c.Src, c.VLAN}
	for s := range ends {
		g.run++
		ends[s] = &end{ports: g.ports[s], run: g.run, flows: uint32(c.Flows), accounts: make([]account, c.Flows)}
	}
	ends[0].peer, ends[1].peer = ends[1].run, ends[0].run
	ends[0].templates, ends[0].sequence = templates(there, c, false), make([]uint32, c.Flows)
	if c.Bidirectional {
		ends[1].templates, ends[1].sequence = templates(back, c, true), make([]uint32, c.Flows)
	}
	return ends
}
