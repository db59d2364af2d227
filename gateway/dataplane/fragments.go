package dataplane

import (
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/gateway/dataplane/fragment"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/relay/wire"
)

// Fragments on their way through a shard. Package fragment has the protocol; this is who holds what.
//
// All fragments of a datagram meet at one shard, which its key chooses: there they are steered to first. That shard's table says what becomes of
// each. One that is held is parked in a slot of that shard like any packet, received and in flight, in the list of its datagram. When the first fragment has
// come, each goes to the shard of its flow, which is another one as often as not: then its slot here is given up, and the packet is in flight there; the
// two shards note that it has moved, so that the ledger of all closes.
//
// A held fragment waits for its sender, not for the gateway: --max-delay begins when it goes on, and what bounds it before is the timeout of its datagram.

// maxFragments bounds how many fragments a shard holds; it is a small part of the slots, too.
const maxFragments = 1024

// arrival is what is known of a frame beside its bytes.
type arrival struct {
	owner   uint8 // shard in whose ports it is parked
	counted bool  // as received, by a shard that held it
	upper   packet.Upper
}

func newFragments(cfg *Config) *fragment.Table {
	return fragment.New(fragment.Config{Datagrams: 1024, Held: min(maxFragments, cfg.Slots/8), Seed: cfg.Seed})
}

// fragmentTime is the time that datagrams are timed by: a capture's, where the port has one.
func (s *Shard) fragmentTime(f *ingress.Frame) int64 {
	if f.Time != 0 {
		s.captured = true
		return f.Time
	}
	return s.clock.now
}

// placeFragment is place for a fragment whose datagram is not known yet.
func (s *Shard) placeFragment(f *ingress.Frame, side ingress.Side, a arrival, p *classify.Packet) {
	var key packet.Key
	p.Info.DatagramKey(f.Data, &key)
	if home := int(key.Hash(s.cfg.Seed)>>32) % s.space.shards; home != s.id {
		s.steer(home, f, side, a)
		return
	}
	s.newestFragment = max(s.newestFragment, s.fragmentTime(f))
	i, upper, verdict := s.fragments.Add(f.Data, &p.Info, &key, s.newestFragment, s.dropHeld)
	switch verdict {
	case fragment.Go, fragment.First:
		a.upper = upper
		s.placeUpper(f, side, a, p)
		if verdict == fragment.First {
			e := s.fragments.Entry(i)
			head := e.Head
			e.Head, e.Tail = none, none
			s.releaseHeld(head, upper)
		}
	case fragment.Hold:
		s.hold(s.fragments.Entry(i), s.parkFragment(f, side, a, p))
	case fragment.Overlap:
		s.discard(s.parkFragment(f, side, a, p), FragmentOverlap)
	case fragment.Spoil:
		s.discard(s.parkFragment(f, side, a, p), FragmentOverlap)
		e := s.fragments.Entry(i)
		head := e.Head
		e.Head, e.Tail = none, none
		s.discardHeld(head, FragmentOverlap)
	default:
		s.discard(s.parkFragment(f, side, a, p), FragmentLimit)
	}
}

// placeUpper places a fragment whose datagram is known, in the flow of that.
func (s *Shard) placeUpper(f *ingress.Frame, side ingress.Side, a arrival, p *classify.Packet) {
	p.Info.SetUpper(a.upper)
	p.Reverse = p.Info.Key(f.Data, &p.Key)
	s.place(f, side, a, p, s.flows.Hash(&p.Key))
}

func (s *Shard) parkFragment(f *ingress.Frame, side ingress.Side, a arrival, p *classify.Packet) uint32 {
	s.countArrival(f, side, a)
	if p.Info.Problem != packet.OK {
		s.led.Problems[p.Info.Problem]++
	}
	return s.slots.take(*f, side, a.owner, s.clock.now)
}

// hold appends slot i to the list of its datagram.
func (s *Shard) hold(e *fragment.Entry, i uint32) {
	sl := &s.slots.s[i]
	sl.phase, sl.next = held, none
	if e.Tail == none {
		e.Head = i
	} else {
		s.slots.s[e.Tail].next = i
	}
	e.Tail = i
}

// releaseHeld lets fragments go on that were held for what upper says.
func (s *Shard) releaseHeld(head uint32, upper packet.Upper) {
	for head != none {
		sl := &s.slots.s[head]
		i, f, side, owner := head, s.slots.frames[head], sl.side, sl.owner
		head = sl.next
		// The packet gives up its slot and is placed like one that has just come, but for having been counted.
		s.slots.put(i)
		s.moved[side]--
		var p classify.Packet
		s.cfg.Rules.Packet(f.Data, f.Wire, &p)
		s.placeUpper(&f, side, arrival{owner: owner, counted: true, upper: upper}, &p)
	}
}

// discardHeld drops a list of held fragments.
func (s *Shard) discardHeld(head uint32, why Reason) {
	for head != none {
		i := head
		head = s.slots.s[i].next
		s.discard(i, why)
	}
}

// discardEnded drops what was held of a datagram that has ended: its time is over, or it had to go for another.
func (s *Shard) discardEnded(head uint32, timedOut bool) {
	why := FragmentLimit
	switch {
	case s.end.stopping:
		why = Shutdown
	case timedOut:
		why = FragmentTimeout
	}
	s.discardHeld(head, why)
}

// expireFragments ends datagrams whose time is over. At the end of a capture, or of the shard, nothing more will come.
func (s *Shard) expireFragments() {
	switch {
	case s.fragments.Len() == 0:
	case s.end.stopping, s.ports.done() && !s.steering.waiting():
		s.fragments.DropAll(s.dropHeld)
	case !s.captured: // a capture's time goes on with its fragments
		s.fragments.Expire(s.clock.now, 64, s.dropHeld)
	}
}

// wireUpper is what a worker is told of the datagram of slot i, until the next call.
func (s *Shard) wireUpper(i uint32) *wire.Upper {
	s.slots.upper[i].Append(s.upper[:0])
	return &s.upper
}
