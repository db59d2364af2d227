package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/locallambda"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/record"
	"github.com/granule-nf/granule/relay/wire"
)

// functionName is the worker's name in the embedded service, and the default elsewhere.
const functionName = "granule-worker"

// fleetConfig says where workers run and how they reach the gateway.
type fleetConfig struct {
	Remote    bool               // Lambda is elsewhere: AWS, or another emulator
	Lambda    locallambda.Remote // where
	Function  string             // which function
	Bootstrap string             // the artifact that the embedded service runs
	MemoryMB  int
	CPUs      float64
	ColdStart time.Duration
	Listen    string   // where workers dial in
	Advertise []string // host:port as workers see it; the listener's own address if empty
	TLS       bool
	Lifetime  time.Duration
	Join      time.Duration
	Whole     bool // workers return every packet whole: --ship full
	Seed      uint64
}

// fleet is the Lambda API, the listener that workers dial, and the documents they are started with.
type fleet struct {
	cfg      fleetConfig
	conns    int
	local    *locallambda.Service
	client   coordinator.Invoker
	listener *relay.Listener
	identity *record.Identity
	mu       sync.Mutex
	pools    map[uint32]int
}

// check refuses what can not work, before a port is touched.
func (c *fleetConfig) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(host)
	switch {
	case err != nil:
		return fmt.Errorf("relay-listen: found %q, expected host:port: %w", c.Listen, err)
	case !c.TLS && !ip.IsLoopback():
		return fmt.Errorf("relay-tls is off but workers are listened for on %s: packets would cross a network in the clear; listen on loopback or leave TLS on", c.Listen)
	case c.Remote && c.Lambda.Endpoint == "" && os.Getenv("AWS_ENDPOINT_URL_LAMBDA") == "" && len(c.Advertise) == 0 && (ip.IsLoopback() || ip.IsUnspecified() || host == ""):
		return fmt.Errorf("relay-listen is %s: workers on AWS can't dial that; listen on an address of this machine that they reach, or name one with --relay-advertise", c.Listen)
	case c.Remote:
		return nil
	}
	if _, err := os.Stat(c.Bootstrap); err != nil {
		return fmt.Errorf("bootstrap %s: %w; build it with `make build`, or name it with --bootstrap", c.Bootstrap, err)
	}
	return nil
}

func newFleet(cfg fleetConfig, conns int, joined func(*relay.Conn), log *slog.Logger) (_ *fleet, err error) {
	f := &fleet{cfg: cfg, conns: conns, pools: map[uint32]int{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.TLS {
		if f.identity, err = record.NewIdentity(); err != nil {
			return nil, err
		}
	}
	f.listener, err = relay.Listen(relay.Config{Address: cfg.Listen, TLS: cfg.TLS, Identity: f.identity, Joined: joined, Log: log})
	if err != nil {
		return nil, err
	}
	if len(f.cfg.Advertise) == 0 {
		f.cfg.Advertise = []string{f.listener.Addr().String()}
	}
	if cfg.Remote {
		if f.client, err = locallambda.NewRemoteClient(context.Background(), cfg.Lambda); err != nil {
			return nil, err
		}
		return f, nil
	}
	f.local, err = locallambda.New(locallambda.Config{Seed: cfg.Seed, Logger: log, Functions: []locallambda.Function{{
		Name: cfg.Function, Artifact: cfg.Bootstrap, MemoryMB: cfg.MemoryMB, Timeout: cfg.Lifetime, CPUs: cfg.CPUs, ColdStart: cfg.ColdStart,
	}}})
	if err != nil {
		return nil, err
	}
	f.client = f.local.Client()
	return f, nil
}

// starter returns how workers of plan p are started.
func (f *fleet) starter(p *plan) coordinator.Start {
	return func(ctx context.Context, worker uint32, pool int) error {
		return f.start(ctx, worker, pool, &p.bundles[pool])
	}
}

func (f *fleet) start(ctx context.Context, worker uint32, pool int, stage *bundle) error {
	f.mu.Lock()
	f.pools[worker] = pool
	f.mu.Unlock()
	defer func() {
		f.listener.Forget(worker, 1)
		f.mu.Lock()
		delete(f.pools, worker)
		f.mu.Unlock()
	}()
	expires := time.Now().Add(f.cfg.Join)
	inv := wire.Invocation{
		Version: wire.Version, Gateways: f.cfg.Advertise, Worker: worker, Epoch: 1,
		Token: f.listener.Expect(worker, 1, f.conns, expires), Expires: expires.UnixNano(),
		TLS: f.cfg.TLS, Connections: f.conns, Heartbeat: wire.Duration(time.Second), Idle: wire.Duration(5 * time.Second),
		Whole: f.cfg.Whole, Stage: stage.stage, Files: stage.files,
	}
	if f.cfg.TLS {
		inv.GatewayKey = f.identity.Key()
	}
	payload, err := json.Marshal(&inv)
	if err != nil {
		return fmt.Errorf("invocation of worker %d: %w", worker, err)
	}
	return coordinator.Invoke(ctx, f.client, f.cfg.Function, payload)
}

// pool returns which pool a worker was started for.
func (f *fleet) pool(worker uint32) (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.pools[worker]
	return p, ok
}

func (f *fleet) refused() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range f.listener.Refused() {
		if n > 0 {
			m[relay.Refusal(i).String()] = n
		}
	}
	return m
}

func (f *fleet) close() error {
	var errs []error
	if f.listener != nil {
		errs = append(errs, f.listener.Close())
	}
	if f.local != nil {
		errs = append(errs, f.local.Close())
	}
	return errors.Join(errs...)
}
