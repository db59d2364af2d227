package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/locallambda"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// fleet is the Lambda API, the listener that workers dial, and the documents they are started with.
type fleet struct {
	cfg      settings.Fleet
	conns    int
	local    *locallambda.Service
	client   coordinator.Invoker
	listener *relay.Listener
	identity *tlsrecord.Identity
	mu       sync.Mutex
	pools    map[uint32]int
}

func newFleet(cfg settings.Fleet, conns int, joined func(*relay.Conn), log *slog.Logger) (_ *fleet, err error) {
	f := &fleet{cfg: cfg, conns: conns, pools: map[uint32]int{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.TLS {
		if f.identity, err = tlsrecord.NewIdentity(); err != nil {
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
	f.local, err = locallambda.New(locallambda.Config{Seed: cfg.Seed, Logger: log, Launcher: cfg.Launcher, Functions: []locallambda.Function{{
		Name: cfg.Function, Artifact: cfg.Bootstrap, MemoryMB: cfg.MemoryMB, Timeout: cfg.Lifetime, CPUs: cfg.CPUs, ColdStart: cfg.ColdStart,
		UID: cfg.UID, GID: cfg.GID,
	}}})
	if err != nil {
		return nil, err
	}
	f.client = f.local.Client()
	return f, nil
}

// starter returns how workers of plan p are started.
func (f *fleet) starter(p *settings.Plan) coordinator.Start {
	return func(ctx context.Context, worker uint32, pool int) error {
		return f.start(ctx, worker, pool, &p.Bundles[pool])
	}
}

func (f *fleet) start(ctx context.Context, worker uint32, pool int, stage *settings.Bundle) error {
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
		Whole: f.cfg.Whole, Stage: stage.Stage, Files: stage.Files,
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
