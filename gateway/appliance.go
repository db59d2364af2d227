package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay"
)

// appliance is a running gateway: ports, shards, workers, console, put together from settings that have been checked.
type appliance struct {
	cfg     applianceConfig
	log     *slog.Logger
	started time.Time
	wire    *wirePorts
	shards  []*dataplane.Shard
	workers *fleet
	starter func(*plan) coordinator.Start // the fleet's
	coord   *coordinator.Coordinator
	events  *console.EventLog
	admin   *console.Server
	reasons [dataplane.NumReasons]string
	reports *reports
	config  configuration
	running sync.WaitGroup // shards
}

// applianceConfig is what run, demo and tests put an appliance together from.
type applianceConfig struct {
	Ports     portsConfig
	Plan      *plan
	Dataplane dataplane.Config
	ReplicaMB int // of all shards; 0 for none
	Workers   coordinator.Config
	Fleet     fleetConfig
	Admin     string // "" for none
	Events    string // "" for none
	Reread    reread // nil: the configuration stays
}

// newAppliance opens everything that can fail, in the order in which a failure costs least, and moves no packet yet.
func newAppliance(cfg applianceConfig, log *slog.Logger) (_ *appliance, err error) {
	a := &appliance{cfg: cfg, log: log, started: time.Now(), config: newConfiguration(cfg.Plan, cfg.Dataplane.DropUnmatched)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	a.reasons = dataplane.ReasonNames(verdictNames())
	if cfg.Dataplane.Seed == 0 {
		cfg.Dataplane.Seed = randomSeed()
	}
	cfg.Dataplane.Verdicts = int(nf.NumVerdicts)
	cfg.Dataplane.Chains, cfg.Dataplane.Stages, cfg.Dataplane.Choose = cfg.Plan.chains, cfg.Plan.stages, cfg.Plan.classify
	if err := cfg.Dataplane.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Fleet.check(); err != nil {
		return nil, err
	}
	if a.events, err = console.OpenEventLog(cfg.Events); err != nil {
		return nil, err
	}
	if cfg.Admin != "" {
		if a.admin, err = console.Listen(console.Config{Address: cfg.Admin, Status: a.status, Live: a.live, Reasons: &a.reasons, Refused: refusalNames()}); err != nil {
			return nil, err
		}
	}
	lifelines(context.Background(), &cfg.Ports.XDP, &cfg.Fleet) // what stays unknown fails where it is used, or does no harm
	if a.wire, err = openPorts(cfg.Ports); err != nil {
		return nil, err
	}
	queues, err := a.wire.queues()
	if err != nil {
		return nil, err
	}
	if err := a.newShards(cfg.Dataplane, queues); err != nil {
		return nil, err
	}
	if a.workers, err = newFleet(cfg.Fleet, len(a.shards), a.joined, log); err != nil {
		return nil, err
	}
	a.starter = a.workers.starter
	cfg.Workers.Conns = len(a.shards)
	cfg.Workers.Pools = cfg.Plan.stageNames()
	if a.coord, err = coordinator.New(cfg.Workers, a.starter(cfg.Plan), shardSet(a.shards), log); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *appliance) newShards(cfg dataplane.Config, queues []dataplane.Queue) error {
	a.reports = newReports(len(queues))
	lanes := make([]*console.EventLane, len(queues))
	for i := range lanes {
		lanes[i] = a.events.Lane()
	}
	hooks := dataplane.Hooks{
		Beat: a.wire.beat,
		Lost: func(shard int, w uint32, _ int, why string) {
			a.reports.forget(shard, w)
			a.coord.Lost(w, why)
		},
		Draining: func(_ int, w uint32, _ int64) { a.coord.Draining(w) },
		Events:   func(shard int, lines []byte, lost uint32) { lanes[shard].Add(lines, lost) },
		Report:   a.reports.keep,
	}
	for i, q := range queues {
		cfg := cfg
		cfg.Slots = min(max(q.Ports[0].Frames()+q.Ports[1].Frames(), 64), 1<<24)
		cfg.WaitForWorkers = a.wire.offline
		var err error
		if cfg.Replicas, err = newReplicas(&cfg, a.cfg.ReplicaMB, len(queues)); err != nil {
			return err
		}
		s, err := dataplane.NewShard(i, cfg, q, hooks)
		if err != nil {
			return err
		}
		a.shards = append(a.shards, s)
	}
	if err := dataplane.Join(a.shards); err != nil {
		return err
	}
	// A shard holds its P while it polls; the rest of the process needs some of its own, or sockets wait for the
	// scheduler's 10 ms.
	if want := len(a.shards) + 2; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
	// In the steady state nothing is allocated; what little the control path makes is collected late, not often.
	debug.SetGCPercent(400)
	return nil
}

// run moves packets until ctx ends or, on capture files, until every packet has come and gone.
func (a *appliance) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if a.admin != nil {
		go func() {
			if err := a.admin.Serve(); err != nil {
				a.log.Error("admin address", "error", err)
			}
		}()
	}
	coordDone := make(chan struct{})
	go func() { defer close(coordDone); a.coord.Run(ctx) }()
	done := make(chan struct{})
	for _, s := range a.shards {
		a.running.Go(s.Run)
	}
	go func() { a.running.Wait(); close(done) }()
	select {
	case <-a.coord.Ready():
		a.log.Info("ready", "workers", a.cfg.Workers.Seats*len(a.cfg.Plan.stages), "shards", len(a.shards))
	case <-done:
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-ctx.Done():
		a.log.Info("stopping")
		for _, s := range a.shards {
			s.Stop(a.cfg.Dataplane.MaxDelay)
		}
		<-done
	}
	cancel()
	<-coordDone
	return a.wire.err()
}

// close ends everything that newAppliance opened. The wire comes last: until then its policy for a dead gateway holds.
func (a *appliance) close() error {
	var errs []error
	if a.coord != nil {
		// Workers whose connections have ended leave by themselves; only those that don't are ended with the service.
		gone := make(chan struct{})
		go func() { a.coord.Wait(); close(gone) }()
		select {
		case <-gone:
		case <-time.After(time.Second):
		}
	}
	if a.workers != nil {
		errs = append(errs, a.workers.close())
	}
	if a.coord != nil {
		a.coord.Abandon() // what runs elsewhere ends by its own limit, which may be a quarter of an hour away
		a.coord.Wait()
	}
	for _, s := range a.shards {
		errs = append(errs, s.Close())
	}
	if a.wire != nil {
		errs = append(errs, a.wire.close())
	}
	if a.admin != nil {
		a.admin.Close()
	}
	if a.events != nil {
		errs = append(errs, a.events.Close())
	}
	return errors.Join(errs...)
}

// joined gives a worker's connection to its shard and tells the coordinator.
func (a *appliance) joined(c *relay.Conn) {
	pool, ok := a.workers.pool(c.Worker())
	if !ok || c.Shard() >= len(a.shards) {
		c.Close()
		return
	}
	a.shards[c.Shard()].Connect(c, pool)
	a.coord.Joined(c.Worker())
}

// shardSet is all shards as the coordinator sees them.
type shardSet []*dataplane.Shard

// Place implements coordinator.Shards.
func (ss shardSet) Place(p *dataplane.Placement) {
	for _, s := range ss {
		s.Place(p)
	}
}

// Disconnect implements coordinator.Shards.
func (ss shardSet) Disconnect(worker uint32, why string) {
	for _, s := range ss {
		s.Disconnect(worker, why)
	}
}

func verdictNames() []string {
	names := make([]string, nf.NumVerdicts)
	for i := range names {
		names[i] = nf.Verdict(i).String()
	}
	return names
}

func refusalNames() []string {
	names := make([]string, relay.NumRefusals)
	for i := range names {
		names[i] = relay.Refusal(i).String()
	}
	return names
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// live returns an error if a shard's loop has not turned for a second.
func (a *appliance) live() error {
	before := make([]uint64, len(a.shards))
	for i, s := range a.shards {
		before[i] = s.Turns()
	}
	for range 100 {
		moved := true
		for i, s := range a.shards {
			moved = moved && s.Turns() != before[i]
		}
		if moved {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("a shard's loop has not turned for a second")
}
