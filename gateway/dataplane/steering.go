package dataplane

import "github.com/granule-nf/granule/ingress"

// steering is how a packet that arrives on the queue of a shard that does not have its flow gets to the one that has, and its frame
// back. Between each two shards there are two rings in each direction.
type steering struct {
	shard int      // this one
	peers []*Shard // by number; nil while there is one
	in    []*ring  // packets that others received for this one, by shard
	home  []*ring  // frames of this one that come home, by shard
}

// maxSteered bounds the ring from one shard to another, in packets: what arrives within some 10 ms at a million a second. A
// thread may have to wait that long for its processor, and costs no packet then. 56 bytes each.
const maxSteered = 8192

// Join makes shards know each other, before any runs. A packet that arrives on the queue of a shard that does not have its
// flow is steered to the one that has. The error is of chains that follow different addresses: one shard could do that, several
// can't.
func Join(shards []*Shard) error {
	if len(shards) < 2 {
		return nil
	}
	follows, err := affinity(shards[0].cfg.Chains, len(shards))
	if err != nil {
		return err
	}
	for id, s := range shards {
		s.space.shard, s.space.shards, s.space.affinity = id, len(shards), follows
		s.steering = steering{shard: id, peers: shards, in: make([]*ring, len(shards)), home: make([]*ring, len(shards))}
		for i, from := range shards {
			if from != s {
				s.steering.in[i] = newRing(min(from.ports.capacity(), maxSteered))
				// Every frame of this one's ports may come home through here: it is never full.
				s.steering.home[i] = newRing(s.ports.capacity())
			}
		}
	}
	return nil
}

// steer passes a frame to the shard that has its flow. If that one is so far behind that the ring is full, the packet is dropped as
// overload; if it has ended, as at a shutdown.
func (s *Shard) steer(to int, f *ingress.Frame, side ingress.Side, a arrival) {
	peer := s.steering.peers[to]
	why := Overload
	if peer.closed.Load() {
		why = Shutdown
	}
	if why == Shutdown || !peer.steering.in[s.id].put(steered{*f, side, a}) {
		s.countArrival(f, side, a)
		s.led.Ports[side].Dropped[why]++
		s.freeFrame(int(a.owner), side, f.ID)
		return
	}
	s.led.Crossed++
	if peer.asleep.Load() {
		peer.mail.wake()
	}
}

// receiveSteered ingests what other shards received for this one.
func (s *Shard) receiveSteered() (total int) {
	b := &s.burst
	for _, r := range s.steering.in {
		for r != nil {
			n, room := 0, min(maxBurst, len(s.slots.free))
			for n < room {
				x, ok := r.get()
				if !ok {
					break
				}
				b.frames[n], b.sides[n], b.arrivals[n] = x.frame, x.side, x.arrival
				n++
			}
			if n == 0 {
				break
			}
			s.ingest(n)
			total += n
		}
	}
	return total
}

// discardSteered accounts for what other shards received for this one and it will not ingest.
func (s *Shard) discardSteered(why Reason) {
	for _, r := range s.steering.in {
		for r != nil {
			x, ok := r.get()
			if !ok {
				break
			}
			s.countArrival(&x.frame, x.side, x.arrival)
			s.led.Ports[x.side].Dropped[why]++
			s.freeFrame(int(x.arrival.owner), x.side, x.frame.ID)
		}
	}
}

// waiting reports whether packets for this shard are in a ring.
func (t *steering) waiting() bool {
	for _, r := range t.in {
		if r != nil && !r.empty() {
			return true
		}
	}
	return false
}

// giveBack sends the ID of a frame that was received at side home to its owner.
func (t *steering) giveBack(owner int, side ingress.Side, id uint32) {
	t.peers[owner].steering.home[t.shard].put(steered{frame: ingress.Frame{ID: id}, side: side})
}

// receiveReturned frees the frames that have come home.
func (t *steering) receiveReturned(p *ports) {
	for _, r := range t.home {
		for r != nil {
			x, ok := r.get()
			if !ok {
				break
			}
			p.free(x.side, x.frame.ID)
		}
	}
}
