package dataplane

import "time"

// The calls of this file may be made by any goroutine. What they want of a running shard comes to it through its mailbox.

// Ledger adds the shard's ledger as it stood at the end of its last turn to l.
func (s *Shard) Ledger(l *Ledger) {
	var own Ledger
	s.published.load(&own)
	l.Add(&own)
}

// publish shows others the ledger.
func (s *Shard) publish() {
	for side := range s.led.Ports {
		s.led.Ports[side].InFlight = s.slots.inUse[side] - s.moved[side]
	}
	s.led.Flows = uint64(s.flows.Len())
	s.countReplicas()
	s.published.store(&s.led)
	s.due.publish = s.clock.now + int64(200*time.Microsecond)
	s.turns.Add(1)
}

// Turns counts the loop's turns: whoever feeds the heartbeat looks whether it moves.
func (s *Shard) Turns() uint64 { return s.turns.Load() }

// Flows returns how many flows the shard's table has room for.
func (s *Shard) Flows() int { return s.flows.Cap() }

// Slots returns how many packets the shard can park.
func (s *Shard) Slots() int { return len(s.slots.s) }

// Place publishes a placement. The shard adopts it in its next turn.
func (s *Shard) Place(p *Placement) {
	s.wanted.Store(p)
	s.mail.post(func(*Shard) {}) // it looks at what is wanted in every turn: this is to wake it
}

// adoptWanted adopts the placement that was published last, if it has not yet.
func (s *Shard) adoptWanted() {
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
	if s.end.over {
		link.Close()
		return
	}
	if id := s.conns.unused(); id != noConn && s.poller.add(link.FD(), int32(id)) == nil {
		s.conns.all[id] = conn{link: link, worker: link.Worker(), pool: pool, waiting: newQueue(), suspects: newQueue(), used: true, progress: s.clock.now, rights: s.rightsOf(pool),
			imports: s.conns.all[id].imports, released: s.conns.all[id].released}
		s.reroute()
		return
	}
	worker := link.Worker()
	link.Close()
	s.hooks.Lost(s.id, worker, pool, false, "the shard has no room for another connection")
}

// Disconnect ends the connection to a worker, if there is one.
func (s *Shard) Disconnect(worker uint32, why string) {
	s.mail.post(func(s *Shard) {
		s.adoptWanted() // one who lost its place before it was let go did not die of its packets
		for i := range s.conns.all {
			if c := &s.conns.all[i]; c.used && c.worker == worker {
				s.lose(uint16(i), why)
				s.reroute()
			}
		}
	})
}
