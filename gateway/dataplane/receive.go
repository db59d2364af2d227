package dataplane

import (
	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// receive takes a burst from one port, and leads each packet as far as it goes without waiting.
func (s *Shard) receive(side ingress.Side) int {
	room := min(s.cfg.Burst, len(s.slots.free))
	if room == 0 || s.cfg.WaitForWorkers && s.unplaced.n > 0 {
		return 0
	}
	n := s.ports[side].Receive(s.rx[:room])
	for i := range n {
		s.ingest(&s.rx[i], side, s.id)
	}
	return n
}

// ingest classifies one packet and places it. owner is the shard whose port the frame is parked in.
func (s *Shard) ingest(f *ingress.Frame, side ingress.Side, owner int) {
	p := &s.at
	s.cfg.Rules.Packet(f.Data, f.Wire, p)
	if p.Class == classify.Judged && len(s.peers) > 1 && owner == s.id {
		if home := s.home(&p.Key, p.Reverse, side); home != s.id {
			s.handOver(home, f, side)
			return
		}
	}
	s.arrive(&s.led.Ports[side], f)
	if p.Info.Problem != packet.OK {
		s.led.Problems[p.Info.Problem]++
	}
	i := s.park(f, side, owner)
	sl := &s.slots.s[i]
	switch p.Class {
	case classify.Malformed:
		s.discard(i, Malformed)
		return
	case classify.Bypassed:
		sl.flags = bypassed
		s.leave(i)
		return
	}

	flow, fresh := s.flows.Get(&p.Key, s.now)
	full := flow == flowtable.None
	var e *flowtable.Entry
	var sub uint16
	var chain uint8
	if fresh || full {
		chain = s.cfg.Rules.Chain(f.Data, f.Wire)
		sub = s.subFlow(chain, &p.Key, p.Reverse, side)
		over := s.flows.Overflow(sub)
		if full {
			s.led.FlowTableFull++
			flow = over
		}
		e = s.flows.Entry(flow)
		if fresh {
			e.Chain, e.SubFlow = chain, sub
			if s.flows.Entry(over).InFlight > 0 {
				e.Flags |= shares
			}
		}
	} else {
		e = s.flows.Entry(flow)
		chain, sub = e.Chain, e.SubFlow
	}
	if e.Flags&shares != 0 {
		if over := s.flows.Overflow(sub); s.flows.Entry(over).InFlight > 0 {
			flow, e = over, s.flows.Entry(over)
		} else {
			e.Flags &^= shares
		}
	}
	sl.flow, sl.sub, sl.chain = flow, sub, chain
	dir := direction(p.Reverse)
	sl.flags |= dir
	if chain == classify.NoChain && e.Head[dir] == none {
		if s.cfg.DropUnmatched {
			s.discard(i, Unmatched)
		} else {
			sl.flags |= bypassed
			sl.flow = none
			s.leave(i)
		}
		return
	}
	sl.headers = headerBytes(&p.Info, f.Data)
	s.enqueue(i, e, dir)
	if chain == classify.NoChain { // behind packets of an overflow entry that are still away
		sl.flags |= bypassed
		verdict := keep
		if s.cfg.DropUnmatched {
			verdict = Unmatched
		}
		s.decide(i, verdict)
		return
	}
	s.dispatch(i)
}

func (s *Shard) arrive(led *PortLedger, f *ingress.Frame) {
	led.Received++
	led.ReceivedBytes += uint64(f.Wire)
}

func (s *Shard) park(f *ingress.Frame, side ingress.Side, owner int) uint32 {
	i := s.slots.take(*f, side, s.now)
	s.slots.s[i].owner = uint8(owner)
	return i
}

const (
	reversed = 1 << 0 // slot flag: which of its flow's two queues it stands in
	bypassed = 1 << 1 // slot flag: no chain sees it
)

// shares is a flag of a flow's entry: packets of it may stand in the overflow entry of its sub-flow, so newer ones join
// them there until that is empty once.
const shares = 1 << 0

func direction(reverse bool) uint8 {
	if reverse {
		return reversed
	}
	return 0
}

// headerBytes is how much of a packet a stage that reads headers gets: all headers, the quotation of an ICMP message,
// and of a packet that can't be parsed as much as somebody might want to look at.
func headerBytes(in *packet.Info, frame []byte) uint16 {
	n := int(in.Payload)
	switch {
	case in.Proto == packet.ProtoICMP || in.Proto == packet.ProtoICMPv6:
		n += 128
	case in.Problem != packet.OK:
		n += 64
	}
	if len(frame)-n < 8 {
		n = len(frame) // padding is cheaper than the question what is missing
	}
	return uint16(min(n, len(frame), 0xffff))
}
