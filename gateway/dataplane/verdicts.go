package dataplane

import (
	"math/bits"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/relay/wire"
)

// State implements relay.Handler: the delta reaches the replica before any packet that it speaks of leaves.
func (s *Shard) State(delta []byte) {
	c := &s.conns[s.current]
	if r := s.replica(c.pool); r != nil {
		r.Apply(c.worker, delta)
	}
}

// Verdicts implements relay.Handler: each slot goes on to its next stage, or is decided.
func (s *Shard) Verdicts(refs []uint64, verdict uint8) {
	c := &s.conns[s.current]
	c.inflight -= len(refs)
	c.progress = s.now
	unknown := int(verdict) >= s.cfg.Verdicts
	for _, ref := range refs {
		i, ok := s.slots.get(ref)
		if !ok {
			s.led.Late++
			continue
		}
		sl := &s.slots.s[i]
		switch {
		case unknown: // the packets wait for its successor, before those that it has not answered
			c.lies = true
			s.orphan(i, true)
		case sl.flags&tooLong != 0:
			s.decide(i, RewriteTooLong)
		case verdict != 0:
			s.decide(i, FirstVerdict+Reason(verdict))
		case int(sl.stage)+1 < s.cfg.Chains[sl.chain].Stages:
			sl.stage++
			sl.deaths = 0 // they were workers of the stage that it has passed
			s.dispatch(i)
		default:
			s.decide(i, keep)
		}
	}
}

// tooLong is a slot flag: the worker's packet does not fit the frame.
const tooLong = 1 << 2

// Rewritten implements relay.Handler: the parked packet becomes what the worker made of it.
func (s *Shard) Rewritten(ref uint64, what uint8, data []byte) {
	i, ok := s.slots.get(ref)
	if !ok {
		return
	}
	f := &s.slots.frames[i]
	switch what {
	case wire.RewroteHeaders:
		copy(f.Data, data)
	case wire.RewroteWhole:
		if len(data) > cap(f.Data) || len(data) > s.ports[s.slots.s[i].side.Other()].MaxFrame() {
			s.slots.s[i].flags |= tooLong
			return
		}
		f.Data = f.Data[:len(data)]
		copy(f.Data, data)
		f.Wire = uint32(len(data))
	}
	// The next stage is shipped what its headers are now.
	var in packet.Info
	packet.Parse(f.Data, int(f.Wire), &in)
	s.slots.s[i].headers = headerBytes(&in, f.Data)
}

// Inject implements relay.Handler: a frame that a function made leaves at once; order binds it to nothing. What a packet caused
// that has been settled without its worker is not sent: a reset for a packet that was forwarded would cut a connection.
func (s *Shard) Inject(ref uint64, side uint8, frame []byte) {
	if _, ok := s.slots.get(ref); !ok {
		return
	}
	p := &s.led.Ports[side&1]
	p.Injected++
	at := s.now
	if t := s.slots.frames[uint32(ref)].Time; t != 0 {
		at = t // a capture's clock, not ours
	}
	s.tx[0] = ingress.Frame{Data: frame, Wire: uint32(len(frame)), Time: at}
	if s.ports[side&1].Transmit(s.tx[:1]) == 0 {
		p.Dropped[InjectTxFull]++
		return
	}
	p.Forwarded++
	p.ForwardedBytes += uint64(len(frame))
}

// Events implements relay.Handler.
func (s *Shard) Events(lines []byte, lost uint32) { s.hooks.Events(s.id, lines, lost) }

// Report implements relay.Handler.
func (s *Shard) Report(json []byte) { s.hooks.Report(s.id, s.conns[s.current].worker, json) }

// Draining implements relay.Handler.
func (s *Shard) Draining(deadline int64) {
	c := &s.conns[s.current]
	if !c.drains { // once: what a worker repeats must not crowd out what others have to tell
		c.drains = true
		s.hooks.Draining(s.id, c.worker, deadline)
	}
}

// decide says what becomes of slot i, and retires its flow's queue as far as it is decided.
func (s *Shard) decide(i uint32, v Reason) {
	sl := &s.slots.s[i]
	sl.phase, sl.verdict = done, v
	e := s.flows.Entry(sl.flow)
	dir := sl.flags & reversed
	for e.Head[dir] != none {
		h := e.Head[dir]
		hs := &s.slots.s[h]
		if hs.phase != done {
			return
		}
		e.Head[dir] = hs.next
		if e.Head[dir] == none {
			e.Tail[dir] = none
		}
		e.InFlight--
		us := uint64(s.now-hs.received) / 1000
		s.led.DelayNS += uint64(s.now - hs.received)
		s.led.Delay[min(bits.Len64(us), len(s.led.Delay)-1)]++
		if hs.verdict == keep {
			s.leave(h)
		} else {
			s.discard(h, hs.verdict)
		}
	}
}

// discard drops slot i, which stands in no queue any more.
func (s *Shard) discard(i uint32, why Reason) {
	s.led.Ports[s.slots.s[i].side].Dropped[why]++
	s.freeSlot(i)
}

// freeSlot gives the frame back to the port it is parked in and the slot to the table.
func (s *Shard) freeSlot(i uint32) {
	sl := &s.slots.s[i]
	if int(sl.owner) == s.id {
		s.release[sl.side] = append(s.release[sl.side], sl.frame)
	} else {
		s.returnFrame(int(sl.owner), sl.side, sl.frame)
	}
	s.slots.put(i)
}
