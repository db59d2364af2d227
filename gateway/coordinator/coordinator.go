package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator/placer"
	"github.com/granule-nf/granule/gateway/dataplane"
)

// Shards is the packet path as the coordinator sees it.
type Shards interface {
	// Place publishes a placement to all shards.
	Place(p *dataplane.Placement)
	// Disconnect ends a worker's connections on all shards.
	Disconnect(worker uint32, why string)
	// Measure has every shard write what it has counted to a Measure, and calls done with them when all have, or those that still run.
	// They are borrowed until the next call.
	Measure(done func([]dataplane.Measure))
}

// Start invokes worker for pool, and returns when its invocation has ended: nil if it came to its end, ErrThrottled if the
// platform has no room now, ErrFatal if only an operator can help.
type Start func(ctx context.Context, worker uint32, pool int) error

// Errors of a Start, to be wrapped.
var (
	ErrThrottled = errors.New("throttled")
	ErrFatal     = errors.New("the operator must act")
)

// Config is what a coordinator works from.
type Config struct {
	Pools       []string                 // names of the stages
	Seats       int                      // workers a pool that share its sub-flows, where Scale does not say
	Standby     int                      // workers a pool that have joined and wait, where Scale does not say
	Scale       map[string]placer.Limits // of pools that say it themselves, by name
	Target      float64                  // utilisation that workers are scaled and relieved for
	Bandwidth   float64                  // bytes a second that the platform gives a worker; 0: not known to be limited
	Conns       int                      // connections a worker: one a shard
	Lifetime    time.Duration            // the platform's limit for an invocation
	JoinTimeout time.Duration            // a worker that has not joined by then is given up
	BackoffMin  time.Duration            // after a failed start
	BackoffMax  time.Duration
}

// Defaults returns the settings of a gateway that nobody tuned.
func Defaults() Config {
	return Config{Seats: 1, Standby: 1, Conns: 1, Target: 0.7, Lifetime: 15 * time.Minute, JoinTimeout: 30 * time.Second,
		BackoffMin: 100 * time.Millisecond, BackoffMax: 10 * time.Second}
}

// Validate refuses what contradicts itself.
func (c *Config) Validate() error {
	switch {
	case c.Seats < 1 || c.Seats > dataplane.SubFlows:
		return fmt.Errorf("workers: %d; 1 to %d are possible", c.Seats, dataplane.SubFlows)
	case c.Standby < 0:
		return fmt.Errorf("standby: %d; 0 or more is expected", c.Standby)
	case c.Target <= 0 || c.Target > 1:
		return fmt.Errorf("target utilisation: %v; more than 0 and at most 1 is expected", c.Target)
	case c.Conns < 1:
		return fmt.Errorf("connections a worker: %d; at least one is expected", c.Conns)
	case c.JoinTimeout <= 0:
		return fmt.Errorf("worker-join: %v; a time above 0 is expected", c.JoinTimeout)
	case c.Lifetime < time.Second:
		return fmt.Errorf("worker-lifetime: %v; at least 1s is expected", c.Lifetime)
	}
	all := 0
	pools := c.Pools
	if len(pools) == 0 {
		pools = []string{""}
	}
	for _, name := range pools {
		l := c.limitsOf(name)
		if l.Min < 0 || l.Max < max(l.Min, 1) || l.Standby < 0 {
			return fmt.Errorf("workers of stage %s: min %d, max %d, standby %d; expected 0 <= min <= max, at least 1 for max, and 0 or more for standby", name, l.Min, l.Max, l.Standby)
		}
		all += min(l.Max, dataplane.MaxWorkers) + min(l.Standby, dataplane.MaxWorkers)
	}
	if 2*all > dataplane.MaxWorkers {
		return fmt.Errorf("workers: %d, and standby: %d; for %d stages that is %d workers at most, and as many more while a configuration is rolled out or all are replaced at once; a shard can be connected to %d: choose at most %d a stage, standby included, or fewer stages",
			c.Seats, c.Standby, len(pools), all, dataplane.MaxWorkers, dataplane.MaxWorkers/2/len(pools))
	}
	return nil
}

// Coordinator runs the workers of all pools.
type Coordinator struct {
	cfg    Config
	shards Shards
	log    *slog.Logger
	inbox  inbox
	ctx    context.Context // of invocations
	end    context.CancelFunc
	wg     sync.WaitGroup

	// Owned by Run's goroutine.
	workers map[uint32]*worker
	pools   []pool
	nextID  uint32
	version uint64
	ready   chan struct{}
	isReady bool
	running *Generation // whose workers have the sub-flows
	next    *rollout    // of the one that is to follow it; nil if there is none
	failed  Rollout     // Failed, Why and GivenUp
	since   time.Time   // when running got them
	meter   meter

	// Shared with status.
	mu       sync.Mutex
	counters Counters
	list     []Worker
	reasons  []string
	degraded []string
	rollout  Rollout
	stages   []Stage
}

// pool is a stage.
type pool struct {
	name    string
	limits  placer.Limits
	scaler  placer.Scaler
	active  int // workers that are to have sub-flows
	standby int // and to stand by
	starts  placer.Starts
	stopped string // why nothing is started any more
	cause   string // what the last start that failed came to; "" since one has joined
	had     bool   // it has had as many active workers as it wants once

	loads   []float64 // of the sub-flows, in workers' worth
	waiting int       // packets for which there is no worker
	placed  []uint32  // worker of each sub-flow
	stale   bool      // the active workers, or their loads, have changed since it was placed
}

// limitsOf is between what the pool is scaled.
func (c *Config) limitsOf(pool string) placer.Limits {
	if l, ok := c.Scale[pool]; ok {
		return l
	}
	return placer.Limits{Min: c.Seats, Max: c.Seats, Standby: c.Standby}
}

// New makes a coordinator; Run must be called.
func New(cfg Config, start Start, shards Shards, log *slog.Logger) (*Coordinator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Coordinator{cfg: cfg, shards: shards, log: log, inbox: newInbox(), workers: map[uint32]*worker{}, ready: make(chan struct{}),
		running: &Generation{Number: 1, Start: start}, since: time.Now()}
	for _, name := range cfg.Pools {
		l := cfg.limitsOf(name)
		c.pools = append(c.pools, pool{name: name, limits: l, active: max(l.Min, min(l.Max, 1)), standby: l.Standby, starts: c.newStarts(), scaler: placer.Scaler{Hold: placer.DefaultHold},
			loads: make([]float64, dataplane.SubFlows), placed: make([]uint32, dataplane.SubFlows)})
	}
	// Invocations outlive Run until the shards have drained: whoever stops the gateway stops the service last.
	c.ctx, c.end = context.WithCancel(context.Background())
	c.tell()
	return c, nil
}

// Run starts the workers and keeps them until ctx ends; Wait then waits for their invocations.
func (c *Coordinator) Run(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	measure := time.NewTicker(measureEvery)
	defer measure.Stop()
	c.review()
	for {
		select {
		case <-c.inbox.wake:
			for _, f := range c.inbox.take() {
				f()
			}
		case <-tick.C:
		case <-measure.C:
			c.shards.Measure(func(m []dataplane.Measure) { c.inbox.post(func() { c.measured(m) }) })
			continue
		case <-ctx.Done():
			return
		}
		c.review()
	}
}

// Wait returns when every invocation has returned. It is for after Run, when the service that runs them has been closed.
func (c *Coordinator) Wait() { c.wg.Wait() }

// Abandon ends the calls that wait for invocations: after Run, for those that run where the gateway can't end them.
func (c *Coordinator) Abandon() { c.end() }

// Ready is closed when every pool has had as many workers as it is to begin with.
func (c *Coordinator) Ready() <-chan struct{} { return c.ready }

// Joined tells that a worker's connection to one shard has joined. The shard has it already.
func (c *Coordinator) Joined(id uint32) { c.inbox.post(func() { c.joined(id) }) }

// Lost tells that a worker's connection to a shard has ended, and whether it had judged packets.
func (c *Coordinator) Lost(id uint32, judged bool, why string) {
	c.inbox.post(func() {
		if w := c.workers[id]; w != nil && judged {
			w.judged = true
		}
		c.lost(id, why)
	})
}

// Released tells that a shard has handed off all sub-flows of a worker that was to have none any more.
func (c *Coordinator) Released(id uint32) {
	c.inbox.post(func() {
		if w := c.workers[id]; w != nil && w.state == Leaving {
			if w.released++; w.released >= c.cfg.Conns {
				c.retire(w, "its sub-flows have been handed off")
			}
		}
	})
}

// Draining tells that a worker announced its end.
func (c *Coordinator) Draining(id uint32) {
	c.inbox.post(func() {
		if w := c.workers[id]; w != nil && w.state != Gone && w.state != Draining && w.state != Leaving && !w.hasProved(time.Now(), c.cfg.BackoffMax) {
			c.startsOf(w).Failed(time.Now()) // its successor may do the same
		}
		c.draining(id, "it announced its end")
	})
}

func (c *Coordinator) joined(id uint32) {
	w := c.workers[id]
	if w == nil || w.state == Gone {
		c.shards.Disconnect(id, "it joined after it had been given up")
		return
	}
	if w.state != Invoked {
		return
	}
	if w.conns++; w.conns < c.cfg.Conns {
		return
	}
	w.state, w.joined = Standby, time.Now()
	c.pools[w.pool].cause = ""
	c.count(func(n *Counters) { n.Joined++ })
	c.log.Info("worker joined", "worker", id, "stage", c.pools[w.pool].name, "after", w.joined.Sub(w.invoked).Round(time.Millisecond))
}

func (c *Coordinator) lost(id uint32, why string) {
	w := c.workers[id]
	if w == nil || w.state == Gone {
		return
	}
	c.log.Warn("worker lost", "worker", id, "stage", c.pools[w.pool].name, "state", w.state.String(), "reason", why)
	c.count(func(n *Counters) { n.Lost++ })
	c.endedEarly(w)
	c.retire(w, why)
}

// endedEarly counts for or against starts that w has gone before its time.
func (c *Coordinator) endedEarly(w *worker) {
	if now := time.Now(); w.hasProved(now, c.cfg.BackoffMax) {
		c.startsOf(w).Lost()
	} else {
		c.startsOf(w).Failed(now)
	}
}

// retire takes a worker out of everything.
func (c *Coordinator) retire(w *worker, why string) {
	c.shards.Disconnect(w.id, why)
	w.state = Gone
	c.pools[w.pool].stale = true
	if w.returned {
		delete(c.workers, w.id)
	}
}

func (c *Coordinator) draining(id uint32, why string) {
	w := c.workers[id]
	if w == nil || w.state == Gone || w.state == Draining || w.state == Leaving {
		return
	}
	c.log.Info("worker draining", "worker", id, "stage", c.pools[w.pool].name, "reason", why)
	if w.state == Active {
		w.state = Draining
		return
	}
	c.retire(w, why)
}

func (c *Coordinator) returned(id uint32, err error) {
	w := c.workers[id]
	if w == nil {
		return
	}
	w.returned = true
	p := &c.pools[w.pool]
	if w.state == Gone {
		delete(c.workers, id)
		return
	}
	early := w.state == Invoked
	switch {
	case errors.Is(err, ErrThrottled):
		c.count(func(n *Counters) { n.Throttled++ })
	case err != nil:
		c.count(func(n *Counters) { n.Failed++ })
	}
	switch {
	case err != nil:
		p.cause = err.Error()
	case early:
		p.cause = "its invocation ended before it had joined"
	}
	if err != nil || early {
		c.log.Warn("invocation ended", "worker", id, "stage", p.name, "state", w.state.String(), "error", err)
	}
	switch {
	case errors.Is(err, ErrFatal) && w.of != c.running: // the workers that there are go on
		c.giveUp(err.Error())
		return
	case errors.Is(err, ErrFatal):
		p.stopped = err.Error()
		c.log.Error("no more workers are started", "stage", p.name, "error", err)
	}
	if err != nil && !early { // its connections have ended with it, and that may be told later
		c.count(func(n *Counters) { n.Lost++ })
	}
	if early {
		c.startsOf(w).Failed(time.Now())
	} else if w.state != Leaving {
		c.endedEarly(w)
	}
	c.retire(w, "its invocation ended")
}

func (c *Coordinator) newStarts() placer.Starts {
	return placer.Starts{Min: c.cfg.BackoffMin, Max: c.cfg.BackoffMax}
}

func (c *Coordinator) count(f func(*Counters)) {
	c.mu.Lock()
	f(&c.counters)
	c.mu.Unlock()
}
