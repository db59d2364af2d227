package dataplane

import (
	"sync/atomic"

	"github.com/granule-nf/granule/ingress"
)

// crossing is a ring from one shard to one other: one writes, one reads, neither waits.
type crossing struct {
	_    [64]byte
	head atomic.Uint32 // next to read
	_    [60]byte
	tail atomic.Uint32 // next to write
	_    [60]byte
	mask uint32
	at   []crossed
}

// crossed is a frame that arrived on another shard's queue, or the ID of one that comes home.
type crossed struct {
	frame ingress.Frame
	side  ingress.Side
}

func newCrossing(n int) *crossing {
	size := 1
	for size < n {
		size *= 2
	}
	return &crossing{mask: uint32(size - 1), at: make([]crossed, size)}
}

func (c *crossing) put(x crossed) bool {
	t := c.tail.Load()
	if t-c.head.Load() > c.mask {
		return false
	}
	c.at[t&c.mask] = x
	c.tail.Store(t + 1)
	return true
}

func (c *crossing) get() (crossed, bool) {
	h := c.head.Load()
	if h == c.tail.Load() {
		return crossed{}, false
	}
	x := c.at[h&c.mask]
	c.head.Store(h + 1)
	return x, true
}

func (c *crossing) empty() bool { return c.head.Load() == c.tail.Load() }

// maxCrossing bounds the ring from one shard to another, in packets: what arrives within some 10 ms at a million a second. A
// thread may have to wait that long for its processor, and costs no packet then. 56 bytes each.
const maxCrossing = 8192

// Join makes shards know each other, before any runs. A packet that arrives on the queue of a shard that does not have its
// flow crosses once to the one that has. The error is of chains that follow different addresses: one shard could do that, several
// can't.
func Join(shards []*Shard) error {
	if len(shards) < 2 {
		return nil
	}
	follows, err := affinity(shards[0].cfg.Chains, len(shards))
	if err != nil {
		return err
	}
	for _, s := range shards {
		s.peers, s.affinity = shards, follows
		s.cross = make([]*crossing, len(shards))
		s.back = make([]*crossing, len(shards))
		for i, from := range shards {
			if from != s {
				s.cross[i] = newCrossing(min(from.ports[0].Frames()+from.ports[1].Frames(), maxCrossing))
				// Every frame of the other's ports may come home through here: it is never full.
				s.back[i] = newCrossing(s.ports[0].Frames() + s.ports[1].Frames())
			}
		}
	}
	return nil
}

// handOver passes a frame to the shard that has its flow. If that one is so far behind that the ring is full, the
// packet is dropped as overload; if it has ended, as at a shutdown.
func (s *Shard) handOver(to int, f *ingress.Frame, side ingress.Side) {
	peer := s.peers[to]
	why := Overload
	if peer.over.Load() {
		why = Shutdown
	}
	if why == Shutdown || !peer.cross[s.id].put(crossed{*f, side}) {
		s.arrive(&s.led.Ports[side], f)
		s.led.Ports[side].Dropped[why]++
		s.release[side] = append(s.release[side], f.ID)
		return
	}
	s.led.Crossed++
	if peer.asleep.Load() {
		peer.mail.wake()
	}
}

// takeCrossed accepts what other shards received for this one.
func (s *Shard) takeCrossed() (n int) {
	for from, c := range s.cross {
		for c != nil && len(s.slots.free) > 0 {
			x, ok := c.get()
			if !ok {
				break
			}
			s.ingest(&x.frame, x.side, from)
			n++
		}
	}
	return n
}

// dropCrossed accounts for what other shards received for this one and it will not accept.
func (s *Shard) dropCrossed(why Reason) {
	for from, c := range s.cross {
		for c != nil {
			x, ok := c.get()
			if !ok {
				break
			}
			s.arrive(&s.led.Ports[x.side], &x.frame)
			s.led.Ports[x.side].Dropped[why]++
			s.returnFrame(from, x.side, x.frame.ID)
		}
	}
}

func (s *Shard) crossedWaiting() bool {
	for _, c := range s.cross {
		if c != nil && !c.empty() {
			return true
		}
	}
	return false
}

// returnFrame sends a frame's ID home.
func (s *Shard) returnFrame(owner int, side ingress.Side, id uint32) {
	s.peers[owner].back[s.id].put(crossed{ingress.Frame{ID: id}, side})
}

func (s *Shard) takeReturned() {
	for _, c := range s.back {
		for c != nil {
			x, ok := c.get()
			if !ok {
				break
			}
			s.release[x.side] = append(s.release[x.side], x.frame.ID)
		}
	}
}
