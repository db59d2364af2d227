package appliance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/replica"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay"
)

// Appliance is a running gateway: ports, shards, workers, console, put together from settings that have been checked.
type Appliance struct {
	cfg      settings.Gateway
	log      *slog.Logger
	started  time.Time
	wire     *ports
	shards   []*dataplane.Shard
	workers  *fleet
	starter  func(*settings.Plan) coordinator.Start // the fleet's
	coord    *coordinator.Coordinator
	events   *console.EventLog
	admin    *console.Server
	reasons  [dataplane.NumReasons]string
	reports  *reports
	state    *stateDir // nil: none
	volatile string    // why there is none though there should be
	replicas []*replica.Replica
	config   configuration
	running  sync.WaitGroup // shards
}

// New opens everything that can fail, in the order in which a failure costs least, and moves no packet yet. An error says which port, address, file
// or setting it is about, and what to do; what had been opened by then is closed again.
func New(cfg settings.Gateway, log *slog.Logger) (_ *Appliance, err error) {
	a := &Appliance{cfg: cfg, log: log, started: time.Now(), config: newConfiguration(cfg.Plan, cfg.Dataplane.DropUnmatched)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	a.warnLeftOut(cfg.Plan)
	a.reasons = dataplane.ReasonNames(verdictNames())
	cfg.Dataplane.Verdicts = int(nf.NumVerdicts)
	cfg.Dataplane.Chains, cfg.Dataplane.Stages, cfg.Dataplane.Choose = cfg.Plan.Chains, cfg.Plan.Stages, cfg.Plan.Choose
	cfg.Dataplane.Datagrams = cfg.Plan.Datagrams
	if err := cfg.Dataplane.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Fleet.Validate(); err != nil {
		return nil, err
	}
	if a.events, err = console.OpenEventLog(cfg.Events, a.eventsFailed); err != nil {
		return nil, err
	}
	if cfg.Admin.Address != "" {
		token, err := console.ReadToken(cfg.Admin.TokenFile)
		if err != nil {
			return nil, err
		}
		if a.admin, err = console.Listen(console.Config{Address: cfg.Admin.Address, Hosts: cfg.Admin.Hosts, Token: token, Status: a.Status, Live: a.live, Reasons: &a.reasons, Refused: refusalNames()}); err != nil {
			return nil, err
		}
	}
	settings.ManagementPaths(context.Background(), &cfg.Ports.XDP, &cfg.Fleet) // what stays unknown fails where it is used, or does no harm
	if a.wire, err = openPorts(cfg.Ports, log); err != nil {
		return nil, err
	}
	if x := a.wire.afxdp; x != nil && cfg.Ports.XDP.FailOpen && x.Report().PinsEnd {
		log.Warn("on-process-failure: open is void", "reason", afxdp.PinsEnd)
	}
	queues, err := a.wire.queues()
	if err != nil {
		return nil, err
	}
	if a.state, a.volatile, err = openState(cfg.State); err != nil {
		return nil, err
	}
	if a.volatile != "" {
		log.Warn(a.volatile)
	}
	if err := a.newShards(cfg.Dataplane, queues); err != nil {
		return nil, err
	}
	if a.workers, err = newFleet(cfg.Fleet, len(a.shards), a.joined, log); err != nil {
		return nil, err
	}
	a.starter = a.workers.starter
	cfg.Workers.Conns = len(a.shards)
	cfg.Workers.Pools = cfg.Plan.StageNames()
	if a.coord, err = coordinator.New(cfg.Workers, a.starter(cfg.Plan), newShardSet(a.shards), log); err != nil {
		return nil, err
	}
	return a, nil
}

// joined gives a worker's connection to its shard and tells the coordinator.
func (a *Appliance) joined(c *relay.Conn) {
	pool, ok := a.workers.pool(c.Worker())
	if !ok || c.Shard() >= len(a.shards) {
		c.Close()
		return
	}
	a.shards[c.Shard()].Connect(c, pool)
	a.coord.Joined(c.Worker())
}

// eventsFailed logs that the event log takes no lines, and that it does again: once each.
func (a *Appliance) eventsFailed(err error) {
	lost := a.events.Counters().Lost
	if err != nil {
		a.log.Error("events are being lost: the event log can't be written; make room, or move the file away and send SIGHUP", "error", err, "lost", lost)
		return
	}
	a.log.Info("the event log is written again", "lost", lost)
}
