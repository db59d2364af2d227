package dataplane

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/gateway/dataplane/fragment"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay/wire"
	"golang.org/x/sys/unix"
)

// Shard is one thread's share of the gateway: a queue of both ports, and the sub-flows s with s mod shards = its number.
//
// Each of its parts has a file of its own. What is in Shard's methods is what happens between them.
type Shard struct {
	cfg   Config
	hooks Hooks
	id    int

	answered func(i int) (ref uint64, ok bool) // packet i of the batch whose answer is read
	parked   func(i int) []byte                // parkedFor

	// Owned by the shard's thread.
	clock          clock
	due            due
	end            end
	poller         poller
	ports          ports
	burst          burst
	space          flowSpace
	steering       steering
	fragments      *fragment.Table
	dropHeld       func(head uint32, timedOut bool) // what fragments call
	moved          [2]uint64                        // packets that other shards counted as received, less those that this one counted and others have
	captured       bool                             // packets carry their own time
	upper          wire.Upper                       // of the fragment that is shipped
	newestFragment int64
	flows          *flowtable.Table
	slots          *slotTable
	unassigned     int // slots that wait for their sub-flow to have a worker
	handoffs       handoffs
	layout         *Layout // of the configuration that was adopted last; nil: that of cfg
	placement      *Placement
	routes         routes
	conns          connections
	led            Ledger
	gap            gap

	// Used by other goroutines, too.
	mail      *mailbox
	published published
	wanted    atomic.Pointer[Placement]
	turns     atomic.Uint64
	asleep    atomic.Bool
	closed    atomic.Bool // takes nothing from its peers any more
}

// NewShard makes shard id with its queue of both ports. Run must be called on it, once. Errors are those of Config.Validate, and
// those of the system when it has no descriptors left (from epoll_create1, eventfd and epoll_ctl, wrapped).
func NewShard(id int, cfg Config, q Queue, hooks Hooks) (*Shard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Shard{
		cfg: cfg, hooks: hooks.withDefaults(), id: id, clock: newClock(),
		ports:     newPorts(q.Ports, cfg.Slots),
		space:     flowSpace{chains: cfg.Chains, seed: cfg.Seed, shard: id, shards: 1},
		flows:     flowtable.New(flowtable.Config{Flows: cfg.Flows, IdleNS: cfg.FlowIdle.Nanoseconds(), Seed: cfg.Seed}),
		slots:     newSlotTable(cfg.Slots),
		routes:    newRoutes(len(cfg.Stages)),
		conns:     newConnections(cfg.Slots),
		fragments: newFragments(&cfg),
	}
	for i := range s.routes {
		s.routes[i].chain, s.routes[i].space = cfg.Stages[i].Chain, &s.space
	}
	s.parked = s.parkedFor
	s.dropHeld = s.discardEnded
	if cfg.Restored {
		for pool := range cfg.Stages {
			s.handoffs.heirs = append(s.handoffs.heirs, legacy{pool: pool, to: noConn}) // of worker 0
			for sub := range uint16(SubFlows) {
				if s.replica(pool).Knows(sub) { // its first worker is a successor
					s.routes[pool].state[sub] = nobody
				}
			}
		}
	}
	var err error
	if s.poller, err = newPoller(); err != nil {
		return nil, err
	}
	if s.mail, err = newMailbox(); err != nil {
		unix.Close(s.poller.fd)
		return nil, err
	}
	if err := s.poller.add(s.mail.fd, eventMailbox); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for side, p := range s.ports.port {
		if p.FD() >= 0 {
			if err := s.poller.add(p.FD(), eventInside-int32(side)); err != nil {
				return nil, errors.Join(fmt.Errorf("%s port: %w", ingress.Side(side), err), s.Close())
			}
		}
	}
	return s, nil
}

// Close frees what other shards may have used until all of them had ended, and all of a shard that never ran. Its error is that of
// close(2) of the mailbox's descriptor.
func (s *Shard) Close() error {
	if !s.end.over {
		unix.Close(s.poller.fd)
	}
	return unix.Close(s.mail.fd)
}
