package dataplane

import (
	"bytes"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/relay/wire"
)

// The methods of this file are relay.Handler: they are called with what a worker says, while its connection is read.

// State implements relay.Handler: the delta reaches the replica before any packet that it speaks of leaves.
func (s *Shard) State(delta []byte, ref func(i int) (uint64, bool)) {
	c := s.conns.answering()
	if c.violation == "" {
		s.answered = ref
		s.replica(c.pool).Apply(c.worker, delta, &s.routes[c.pool], s.parked)
	}
}

// parkedFor lends packet i of the batch that is being answered, as its worker was sent it; nil if it has been resolved without.
func (s *Shard) parkedFor(i int) []byte {
	ref, ok := s.answered(i)
	if !ok {
		return nil
	}
	at, ok := s.asked(ref)
	if !ok {
		return nil
	}
	return s.slots.frames[at].Data
}

// asked returns the slot that ref names, if the worker whose answers are handled is still the one that is asked about it.
func (s *Shard) asked(ref uint64) (uint32, bool) {
	i, ok := s.slots.get(ref)
	return i, ok && s.slots.s[i].holder == s.conns.reading
}

// Rewritten implements relay.Handler: the parked packet becomes what the worker made of it.
func (s *Shard) Rewritten(ref uint64, what uint8, data []byte) {
	c := s.conns.answering()
	i, ok := s.asked(ref)
	if !ok || c.violation != "" {
		return
	}
	sl, f := &s.slots.s[i], &s.slots.frames[i]
	if !c.rights.mayRewrite(f.Data, sl.headers, what, data) {
		c.violate("it changed of a packet what no function of its stage changes")
		return
	}
	switch what {
	case wire.RewroteHeaders:
		copy(f.Data, data)
	case wire.RewroteWhole:
		sl.spoilt = s.fits(data, sl.side.Other(), len(f.Data), RewriteTooShort, RewriteTooLong)
		if sl.spoilt == keep && len(data) > cap(f.Data) {
			sl.spoilt = RewriteTooLong
		}
		if sl.spoilt != keep {
			return
		}
		f.Data = f.Data[:len(data)]
		copy(f.Data, data)
		f.Wire = uint32(len(data))
	}
	// The next stage is shipped what its headers are now.
	var in packet.Info
	packet.Parse(f.Data, int(f.Wire), &in)
	sl.headers = headerBytes(&in, f.Data)
}

// Inject implements relay.Handler: a frame that a function made leaves at once; order binds it to nothing. What a packet caused
// that has been resolved without its worker is not sent: a reset for a packet that was forwarded would cut a connection.
func (s *Shard) Inject(ref uint64, side uint8, frame []byte) {
	c := s.conns.answering()
	i, ok := s.asked(ref)
	if !ok || c.violation != "" {
		return
	}
	if c.caused != ref {
		c.caused, c.injections = ref, 0
	}
	c.injections++
	cause := &s.slots.frames[i]
	why := s.fits(frame, ingress.Side(side&1), len(cause.Data), InjectTooShort, InjectTooLong)
	switch {
	case !c.rights.injects:
		c.violate("it made a frame, which no function of its stage does")
		return
	case c.injections > maxInjections:
		c.violate("it made more frames for a packet than functions do")
		return
	case why != InjectTooShort && !mayInject(frame, cause.Data):
		c.violate("it made a frame of other MAC addresses or VLAN tags than the packet that caused it")
		return
	}
	p := &s.led.Ports[side&1]
	p.Injected++
	if why != keep {
		p.Dropped[why]++
		return
	}
	at := s.clock.now
	if cause.Time != 0 {
		at = cause.Time // a capture's clock, not ours
	}
	tx := s.ports.scratch[:1]
	tx[0] = ingress.Frame{Data: frame, Wire: uint32(len(frame)), Time: at}
	if s.ports.port[side&1].Transmit(tx) == 0 {
		p.Dropped[InjectTxFull]++
		return
	}
	p.Forwarded++
	p.ForwardedBytes += uint64(len(frame))
}

// Verdicts implements relay.Handler: each slot goes on to its next stage, or is decided.
func (s *Shard) Verdicts(refs []uint64, verdict uint8) {
	c := s.conns.answering()
	c.inflight -= len(refs)
	c.answered += uint64(len(refs))
	c.progress = s.clock.now
	if int(verdict) >= s.cfg.Verdicts {
		c.violate("it gave a verdict that does not exist")
	}
	for _, ref := range refs {
		i, ok := s.asked(ref)
		if !ok {
			s.led.Late++
			continue
		}
		sl := &s.slots.s[i]
		if c.violation != "" { // the packets wait for its successor, with those that it has not answered
			sl.spoilt = keep
			c.refused = append(c.refused, i)
			continue
		}
		s.routes[c.pool].held[sl.sub]--
		switch {
		case verdict != 0:
			s.decide(i, FirstVerdict+Reason(verdict))
		case sl.spoilt != keep:
			s.decide(i, sl.spoilt)
		default:
			next, more := s.cfg.Chains[sl.chain].next(sl.stage, sl.side)
			if !more {
				s.decide(i, keep)
				continue
			}
			sl.stage = next
			sl.losses = 0 // they were workers of the stage that it has passed
			s.arrive(i)
		}
	}
}

// Events implements relay.Handler.
func (s *Shard) Events(lines []byte, claimed uint32) {
	c := s.conns.answering()
	switch {
	case c.violation != "":
	case c.speech.take(s.clock.now, len(lines)):
		s.hooks.Events(s.id, lines, claimed)
	default:
		s.hooks.EventsLost(s.id, uint64(bytes.Count(lines, []byte{'\n'})))
	}
}

// Report implements relay.Handler.
func (s *Shard) Report(json []byte) { s.hooks.Report(s.id, s.conns.answering().worker, json) }

// Draining implements relay.Handler.
func (s *Shard) Draining(deadline int64) {
	c := s.conns.answering()
	if !c.draining { // once: what a worker repeats must not crowd out what others have to say
		c.draining = true
		s.hooks.Draining(s.id, c.worker, deadline)
	}
}
