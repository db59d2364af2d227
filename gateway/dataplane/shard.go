package dataplane

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/relay"
	"golang.org/x/sys/unix"
)

const maxBurst = 256

// Shard is one thread's share of the gateway: a queue of both ports, and the sub-flows s with s mod shards = its number.
type Shard struct {
	cfg   Config
	hooks Hooks
	id    int

	// Owned by the shard's thread.
	ports       [2]ingress.Port
	flows       *flowtable.Table
	slots       *slotTable
	unplaced    queue      // waiting for a worker
	sending     [2]txQueue // retired, for the port of that side
	conns       []conn
	route       [][SubFlows]uint16 // connection of each sub-flow, a stage each
	held        [][SubFlows]uint32 // worker that has the state of each sub-flow, 0 for none, a stage each
	taking      int                // connections that are given state
	placement   *Placement
	current     uint16 // connection whose answers are being handled
	poller      poller
	began       time.Time
	now         int64 // the turn's clock: ns since the Unix epoch at the start, and monotonic from there
	step        int64 // by how much the system's clock has been set since then; for what workers are told
	nextBeat    int64
	nextReport  int64
	nextCheck   int64 // when to look for what is late
	led         Ledger
	stopBy      int64
	publishedAt int64
	stopping    bool
	ended       bool

	at       classify.Packet // the packet at hand; a field, because a local would escape
	rx       [maxBurst]ingress.Frame
	tx       [maxBurst]ingress.Frame
	release  [2][]uint32
	scratch  []uint32
	dirty    []uint16 // connections with an unsent batch
	peers    []*Shard // by shard number; for packets that arrive on the wrong queue
	affinity Affinity // what chooses among them
	cross    []*crossing
	back     []*crossing

	// Shared.
	mail      *mailbox
	published published
	wanted    atomic.Pointer[Placement]
	turns     atomic.Uint64
	asleep    atomic.Bool
	over      atomic.Bool // takes nothing from its peers any more
}

// NewShard makes shard id with its queue of both ports. Run must be called on it, once.
func NewShard(id int, cfg Config, q Queue, hooks Hooks) (*Shard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Shard{cfg: cfg, hooks: hooks.withDefaults(), id: id, ports: q.Ports, unplaced: newQueue(), began: time.Now()}
	s.flows = flowtable.New(flowtable.Config{Flows: cfg.Flows, IdleNS: cfg.FlowIdle.Nanoseconds(), Seed: cfg.Seed})
	s.slots = newSlotTable(cfg.Slots)
	s.conns = make([]conn, MaxWorkers)
	s.route = make([][SubFlows]uint16, len(cfg.Stages))
	s.held = make([][SubFlows]uint32, len(cfg.Stages))
	s.scratch = make([]uint32, 0, cfg.Slots)
	for side := range s.release {
		s.release[side] = make([]uint32, 0, cfg.Slots)
		s.sending[side] = txQueue{head: none, tail: none}
	}
	s.reroute()
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
	for side, p := range s.ports {
		if p.FD() >= 0 {
			if err := s.poller.add(p.FD(), eventInside-int32(side)); err != nil {
				return nil, errors.Join(fmt.Errorf("%s port: %w", ingress.Side(side), err), s.Close())
			}
		}
	}
	return s, nil
}

// Run moves packets until Stop, or until both ports are done and nothing is in flight. It locks its thread.
func (s *Shard) Run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer s.close()
	asks := asking{spin: s.cfg.Spin.Nanoseconds()}
	idle := 0
	for {
		worked, more := s.turn(idle > s.cfg.IdleRounds && !asks.again(s.now))
		if worked {
			asks.worked(s.now, s.slots.inUse[0]+s.slots.inUse[1] > 0, idle)
			idle = 0
		} else {
			idle++
		}
		if !more {
			return
		}
	}
}

// turn is one round over everything the shard owns. With sleep it waits for something to happen first.
func (s *Shard) turn(sleep bool) (worked, more bool) {
	events := s.await(sleep)
	// When somebody sets the system's clock no packet becomes late by that, and the heartbeat does not stop.
	s.now = s.began.UnixNano() + int64(time.Since(s.began))
	s.mail.read(s)
	s.look()
	n := s.answers(events)
	if s.taking > 0 && s.importAll() {
		n++
	}
	full := false
	n += s.takeCrossed()
	if !s.stopping {
		for side := range s.ports {
			got := s.receive(ingress.Side(side))
			n += got
			full = full || got == s.cfg.Burst
		}
	}
	s.flush(full)
	if s.now >= s.nextCheck {
		s.settleLate()
		s.nextCheck = s.now + int64(time.Millisecond)
	}
	pending := s.send(ingress.Inside)
	pending = s.send(ingress.Outside) || pending
	s.giveBack()
	if s.now >= s.nextBeat {
		s.hooks.Beat(s.id)
		s.nextBeat = s.now + int64(10*time.Millisecond)
	}
	more = !s.finished(pending)
	if n == 0 || !more || s.now-s.publishedAt > int64(200*time.Microsecond) {
		s.publish()
	}
	return n > 0 || pending, more
}

// await polls the descriptors: without waiting while packets flow, and otherwise until one is ready.
func (s *Shard) await(sleep bool) []unix.EpollEvent {
	ms := 0
	if sleep {
		s.asleep.Store(true)
		if !s.mail.full.Load() && !s.crossedWaiting() {
			ms = 5 // late packets are looked for, and the turn counter moves, even when nothing happens
		}
	}
	ev := s.poller.wait(ms)
	if sleep {
		s.asleep.Store(false)
	}
	return ev
}

// answers reads from the connections that are ready.
func (s *Shard) answers(events []unix.EpollEvent) (handled int) {
	for i := range events {
		ev := &events[i]
		switch {
		case ev.Fd >= 0:
			c := &s.conns[ev.Fd]
			if !c.used {
				continue
			}
			handled++
			s.current = uint16(ev.Fd)
			c.link.Tick(s.now)
			if ev.Events&unix.EPOLLOUT != 0 && !s.push(c, s.current) || c.link.Read(s) >= relay.Closed {
				s.lose(c, "")
				continue
			}
			if c.lies {
				s.lose(c, "it gave a verdict that does not exist")
				continue
			}
			s.shipWaiting(c)
		case ev.Fd == eventMailbox:
			s.mail.quiet()
		default:
			handled++ // a port: the receive that follows looks at its ring
		}
	}
	s.current = noConn
	return handled
}

// finished reports that nothing is left to do; pending is whether a port still has frames to send.
func (s *Shard) finished(pending bool) bool {
	if s.stopping {
		if s.slots.inUse[0]+s.slots.inUse[1] == 0 && !pending && !s.crossedWaiting() {
			return true
		}
		if s.now > s.stopBy {
			s.settleAll(Shutdown)
			return true
		}
		return false
	}
	return s.ports[0].Done() && s.ports[1].Done() && s.slots.inUse[0]+s.slots.inUse[1] == 0 && !s.crossedWaiting()
}

func (s *Shard) close() {
	s.ended = true
	s.over.Store(true)
	s.dropCrossed(Shutdown)
	for _, f := range s.mail.close() {
		f(s)
	}
	for i := range s.conns {
		if c := &s.conns[i]; c.used {
			s.poller.remove(c.link.FD())
			c.link.Close()
			*c = conn{}
		}
	}
	unix.Close(s.poller.fd)
	s.askPorts()
	s.publish()
}

// askPorts copies the ports' counters into the ledger.
func (s *Shard) askPorts() {
	for side, p := range s.ports {
		s.led.Wire[side] = ingress.PortStats{}
		p.Stats(&s.led.Wire[side])
	}
}

// Close frees what other shards may have used until all of them had ended, and all of a shard that never ran.
func (s *Shard) Close() error {
	if !s.ended {
		unix.Close(s.poller.fd)
	}
	return unix.Close(s.mail.fd)
}

func (s *Shard) publish() {
	for side := range s.led.Ports {
		s.led.Ports[side].InFlight = s.slots.inUse[side]
	}
	s.led.Flows = uint64(s.flows.Len())
	s.countReplicas()
	s.published.store(&s.led)
	s.publishedAt = s.now
	s.turns.Add(1)
}

// Ledger adds the shard's ledger as it stood at the end of its last turn to l.
func (s *Shard) Ledger(l *Ledger) {
	var own Ledger
	s.published.load(&own)
	l.Add(&own)
}

// Turns counts the loop's turns: whoever feeds the heartbeat looks whether it moves.
func (s *Shard) Turns() uint64 { return s.turns.Load() }

// Place publishes a placement. The shard adopts it in its next turn.
func (s *Shard) Place(p *Placement) {
	s.wanted.Store(p)
	s.mail.post(func(*Shard) {}) // it looks at what is wanted in every turn: this is to wake it
}

// look adopts the placement that was published last, if it has not yet.
func (s *Shard) look() {
	if p := s.wanted.Load(); p != s.placement && p != nil {
		s.adopt(p)
	}
}

// Connect gives the shard a connection to a worker of a pool. The shard owns link from here on.
func (s *Shard) Connect(link Link, pool int) {
	if !s.mail.post(func(s *Shard) { s.connect(link, pool) }) {
		link.Close()
	}
}

func (s *Shard) connect(link Link, pool int) {
	if s.ended {
		link.Close()
		return
	}
	for i := range s.conns {
		c := &s.conns[i]
		if c.used {
			continue
		}
		if err := s.poller.add(link.FD(), int32(i)); err != nil {
			break
		}
		*c = conn{link: link, worker: link.Worker(), pool: pool, wait: newQueue(), used: true}
		s.reroute()
		return
	}
	worker := link.Worker()
	link.Close()
	s.hooks.Lost(s.id, worker, pool, "the shard has no room for another connection")
}

// Disconnect ends the connection to a worker, if there is one.
func (s *Shard) Disconnect(worker uint32, why string) {
	s.mail.post(func(s *Shard) {
		s.look() // one who lost its place before it was let go did not die of its packets
		for i := range s.conns {
			if c := &s.conns[i]; c.used && c.worker == worker {
				s.lose(c, why)
				s.reroute()
			}
		}
	})
}

// Stop ends Run: nothing more is received, and what is in flight has until grace to come back.
func (s *Shard) Stop(grace time.Duration) {
	s.mail.post(func(s *Shard) {
		s.stopping = true
		s.stopBy = s.now + grace.Nanoseconds()
	})
}

// Flows returns how many flows the shard's table has room for.
func (s *Shard) Flows() int { return s.flows.Cap() }

// Slots returns how many packets the shard can park.
func (s *Shard) Slots() int { return len(s.slots.s) }
