package appliance

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/dataplane"
)

func (a *Appliance) newShards(cfg dataplane.Config, queues []dataplane.Queue) error {
	a.reports = newReports(len(queues))
	lanes := make([]*console.EventLane, len(queues))
	for i := range lanes {
		lanes[i] = a.events.Lane()
	}
	hooks := dataplane.Hooks{
		Beat: a.wire.beat,
		Lost: func(shard int, w uint32, _ int, judged bool, why string) {
			a.reports.forget(shard, w)
			a.coord.Lost(w, judged, why)
		},
		Released:   func(_ int, w uint32) { a.coord.Released(w) },
		Draining:   func(_ int, w uint32, _ int64) { a.coord.Draining(w) },
		Events:     func(shard int, lines []byte, claimed uint32) { lanes[shard].Add(lines, claimed) },
		EventsLost: func(shard int, n uint64) { lanes[shard].Lose(n) },
		Report:     a.reports.keep,
	}
	for i, q := range queues {
		cfg := cfg
		cfg.Slots = min(max(q.Ports[0].Frames()+q.Ports[1].Frames(), 64), 1<<24)
		cfg.WaitForWorkers = a.wire.offline
		cfg.BeatWhenJudging = a.wire.relayed()
		var err error
		if cfg.Replicas, err = a.newReplicas(&cfg, a.cfg.ReplicaMB, i, len(queues)); err != nil {
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
	limitHeap(a.cfg.Memory(len(queues)).Heap, os.Getenv)
	return nil
}

// shardSet is all shards as the coordinator sees them.
type shardSet struct {
	shards   []*dataplane.Shard
	measures *measures
}

func newShardSet(shards []*dataplane.Shard) shardSet {
	return shardSet{shards, &measures{of: make([]dataplane.Measure, len(shards))}}
}

// Place implements coordinator.Shards.
func (ss shardSet) Place(p *dataplane.Placement) {
	for _, s := range ss.shards {
		s.Place(p)
	}
}

// measures are what the shards write what they have counted to, at the coordinator's request.
type measures struct {
	of    []dataplane.Measure
	asked atomic.Bool // and not all have answered
}

// Measure implements coordinator.Shards. While a shard has not answered the last call, nothing is asked.
func (ss shardSet) Measure(done func([]dataplane.Measure)) {
	m := ss.measures
	if !m.asked.CompareAndSwap(false, true) {
		return
	}
	var left atomic.Int64
	left.Store(int64(len(ss.shards)))
	answered := func() {
		if left.Add(-1) == 0 {
			done(m.of)
			m.asked.Store(false)
		}
	}
	for i, s := range ss.shards {
		if !s.Measure(&m.of[i], answered) {
			answered()
		}
	}
}

// Disconnect implements coordinator.Shards.
func (ss shardSet) Disconnect(worker uint32, why string) {
	for _, s := range ss.shards {
		s.Disconnect(worker, why)
	}
}

// live returns an error if a shard's loop has not turned for a second.
func (a *Appliance) live() error {
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
