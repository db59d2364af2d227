package dataplane

import (
	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// maxBurst is how many frames are taken from a port in one go at most.
const maxBurst = 256

// lookahead is how many packets of a burst are classified before the first of them is placed, so that what is read of the flow
// table for them is waited for once.
const lookahead = 32

// burst is the packets at hand. Its arrays are here because locals would escape.
type burst struct {
	frames   [maxBurst]ingress.Frame
	sides    [maxBurst]ingress.Side
	packets  [lookahead]classify.Packet
	hashes   [lookahead]uint64 // of their flows
	arrivals [maxBurst]arrival
}

// receive takes a burst from one port, and leads each packet as far as it goes without waiting.
func (s *Shard) receive(side ingress.Side) int {
	room := min(s.cfg.Burst, len(s.slots.free))
	if room == 0 || s.cfg.WaitForWorkers && s.unassigned > 0 {
		return 0
	}
	b := &s.burst
	n := s.ports.port[side].Receive(b.frames[:room])
	for i := range n {
		b.sides[i], b.arrivals[i] = side, arrival{owner: uint8(s.id)}
	}
	s.ingest(n)
	return n
}

// ingest classifies n packets of the burst and places them, in the order in which they came.
func (s *Shard) ingest(n int) {
	b := &s.burst
	for first := 0; first < n; first += lookahead {
		frames, sides, arrivals := b.frames[first:min(first+lookahead, n)], b.sides[first:], b.arrivals[first:]
		for i := range frames {
			p := &b.packets[i]
			s.cfg.Rules.Packet(frames[i].Data, frames[i].Wire, p)
			if arrivals[i].upper.Known { // a fragment that has met the others of its datagram
				p.Info.SetUpper(arrivals[i].upper)
				p.Reverse = p.Info.Key(frames[i].Data, &p.Key)
			}
			if p.Class == classify.Judged {
				b.hashes[i] = s.flows.Hash(&p.Key)
			}
		}
		s.flows.Prefetch(b.hashes[:len(frames)])
		for i := range frames {
			s.place(&frames[i], sides[i], arrivals[i], &b.packets[i], b.hashes[i])
		}
	}
}

// place parks a packet that has been classified and gives it its place in the order of its flow.
func (s *Shard) place(f *ingress.Frame, side ingress.Side, a arrival, p *classify.Packet, hash uint64) {
	if p.Class == classify.Judged {
		if p.Info.Frag && !p.Info.Learned && s.cfg.Datagrams {
			s.placeFragment(f, side, a, p)
			return
		}
		if s.space.shards > 1 {
			if home := s.space.home(p, hash, side); home != s.id {
				s.steer(home, f, side, a)
				return
			}
		}
	}
	s.countArrival(f, side, a)
	if p.Info.Problem != packet.OK {
		s.led.Problems[p.Info.Problem]++
	}
	i := s.slots.take(*f, side, a.owner, s.arrival())
	sl := &s.slots.s[i]
	if p.Class != classify.Judged && s.stale() && s.cfg.FailureClosed {
		s.discard(i, NoVerdict)
		return
	}
	if a.upper.Known {
		sl.flags = fragmented
		s.slots.upper[i] = a.upper
	}
	switch p.Class {
	case classify.Malformed:
		s.discard(i, Malformed)
		return
	case classify.Bypassed:
		s.led.Layer2[p.Layer2]++
		sl.flags |= bypassed
		s.enqueueTX(i)
		return
	case classify.NotIP:
		if s.cfg.DropUnmatched {
			s.discard(i, Unmatched)
			return
		}
		sl.flags |= bypassed
		s.enqueueTX(i)
		return
	}
	e := s.assignFlow(sl, f, p, hash)
	dir := sl.flags & reversed
	if sl.chain != classify.NoChain {
		sl.headers = headerBytes(&p.Info, f.Data)
		sl.stage = s.cfg.Chains[sl.chain].entry(side)
		s.enqueue(i, e, dir)
		if s.stale() {
			s.resolve(i, NoVerdict)
			return
		}
		s.arrive(i)
		return
	}
	sl.flags |= bypassed
	verdict := keep
	if s.cfg.DropUnmatched {
		verdict = Unmatched
	}
	switch {
	case e.Head[dir] != none: // behind packets of an overflow entry that are still away
		s.enqueue(i, e, dir)
		s.decide(i, verdict)
	case s.cfg.DropUnmatched:
		s.discard(i, Unmatched)
	default:
		s.enqueueTX(i)
	}
}

// countArrival counts a packet as received, by the shard that accounts for its end; one that has been counted by another shard has moved here.
func (s *Shard) countArrival(f *ingress.Frame, side ingress.Side, a arrival) {
	if a.counted {
		s.moved[side]++
		return
	}
	led := &s.led.Ports[side]
	led.Received++
	led.ReceivedBytes += uint64(f.Wire)
}

// sharesOverflow is a flag of a flow's entry: packets of it may stand in the overflow entry of its sub-flow, so newer ones join
// them there until that is empty once.
const sharesOverflow = 1 << 0

// assignFlow finds the flow of a packet that is parked in sl, and returns the entry in whose queues it stands.
func (s *Shard) assignFlow(sl *slot, f *ingress.Frame, p *classify.Packet, hash uint64) *flowtable.Entry {
	if p.Reverse {
		sl.flags |= reversed
	}
	flow, fresh := s.flows.GetHashed(&p.Key, hash, s.clock.now)
	var e *flowtable.Entry
	if full := flow == flowtable.None; fresh || full {
		sl.chain = s.chainOf(f, &p.Key)
		sl.sub = s.space.subFlow(sl.chain, p, hash, sl.side)
		over := s.flows.Overflow(sl.sub)
		if full {
			s.led.FlowTableFull++
			flow = over
		}
		e = s.flows.Entry(flow)
		if fresh {
			e.Chain, e.SubFlow = sl.chain, sl.sub
			if s.flows.Entry(over).InFlight > 0 {
				e.Flags |= sharesOverflow
			}
		}
	} else {
		e = s.flows.Entry(flow)
		sl.chain, sl.sub = e.Chain, e.SubFlow
	}
	if e.Flags&sharesOverflow != 0 {
		over := s.flows.Overflow(sl.sub)
		if o := s.flows.Entry(over); o.InFlight > 0 {
			flow, e = over, o
		} else {
			e.Flags &^= sharesOverflow
		}
	}
	sl.flow = flow
	return e
}

// enqueue puts slot i at the end of its flow's queue of direction dir.
func (s *Shard) enqueue(i uint32, e *flowtable.Entry, dir uint8) {
	if e.Tail[dir] == none {
		e.Head[dir] = i
	} else {
		s.slots.s[e.Tail[dir]].next = i
	}
	e.Tail[dir] = i
	e.InFlight++
}
