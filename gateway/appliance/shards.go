package appliance

import (
	"fmt"
	"os"
	"runtime"
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
	limitHeap(a.cfg.Memory(len(queues)).Heap, os.Getenv)
	return nil
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
