package dataplane

import (
	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

const noChain = 255

// receive takes a burst from one port, and leads each packet as far as it goes without waiting.
func (s *Shard) receive(side ingress.Side) int {
	room := min(s.cfg.Burst, len(s.slots.free))
	if room == 0 || s.cfg.WaitForWorkers && s.unplaced.n > 0 {
		return 0
	}
	n := s.ports[side].Receive(s.rx[:room])
	for i := range n {
		s.accept(&s.rx[i], side, s.id)
	}
	return n
}

// accept parses one packet and places it. owner is the shard whose port the frame is parked in.
func (s *Shard) accept(f *ingress.Frame, side ingress.Side, owner int) {
	in, key := &s.info, &s.key
	packet.Parse(f.Data, int(f.Wire), in)
	led := &s.led.Ports[side]
	if in.Kind == packet.NotIP || bypasses(f.Data, in) {
		s.arrive(led, f)
		if in.Problem != packet.OK {
			s.led.Problems[in.Problem]++
		}
		i := s.park(f, side, owner)
		if in.Problem != packet.OK && s.cfg.DropMalformed {
			s.discard(i, Malformed)
			return
		}
		s.slots.s[i].flags = bypassed
		s.leave(i)
		return
	}
	reverse := in.Key(f.Data, key)
	if len(s.peers) > 1 && owner == s.id {
		if home := s.home(key, reverse, side); home != s.id {
			s.handOver(home, f, side)
			return
		}
	}
	s.arrive(led, f)
	i := s.park(f, side, owner)
	sl := &s.slots.s[i]
	if in.Problem != packet.OK {
		s.led.Problems[in.Problem]++
		if s.cfg.DropMalformed {
			s.discard(i, Malformed)
			return
		}
	}

	flow, fresh := s.flows.Get(key, s.now)
	full := flow == flowtable.None
	var e *flowtable.Entry
	var sub uint16
	var chain int
	if fresh || full {
		chain = s.cfg.Classify(f.Data, f.Wire)
		sub = s.subFlow(chain, key, reverse, side)
		if chain < 0 {
			chain = noChain
		}
		over := s.flows.Overflow(sub)
		if full {
			s.led.FlowTableFull++
			flow = over
		}
		e = s.flows.Entry(flow)
		if fresh {
			e.Chain, e.SubFlow = uint8(chain), sub
			if s.flows.Entry(over).InFlight > 0 {
				e.Flags |= shares
			}
		}
	} else {
		e = s.flows.Entry(flow)
		chain, sub = int(e.Chain), e.SubFlow
	}
	if e.Flags&shares != 0 {
		if over := s.flows.Overflow(sub); s.flows.Entry(over).InFlight > 0 {
			flow, e = over, s.flows.Entry(over)
		} else {
			e.Flags &^= shares
		}
	}
	sl.flow, sl.sub, sl.chain = flow, sub, uint8(chain)
	dir := direction(reverse)
	sl.flags |= dir
	if chain == noChain && e.Head[dir] == none {
		if s.cfg.DropUnmatched {
			s.discard(i, Unmatched)
		} else {
			sl.flags |= bypassed
			sl.flow = none
			s.leave(i)
		}
		return
	}
	sl.headers = headerBytes(in, f.Data)
	s.enqueue(i, e, dir)
	if chain == noChain { // behind packets of an overflow entry that are still away
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

// bypasses reports whether an IP packet crosses at layer 2: link-local control, multicast and broadcast.
func bypasses(frame []byte, in *packet.Info) bool {
	if frame[0]&1 != 0 {
		return true
	}
	switch in.Proto {
	case packet.ProtoICMPv6:
		// Neighbour discovery (RFC 4861) and multicast listener reports (RFC 2710, 3810), unicast ones too.
		return in.HasL4 && (in.ICMPType >= 130 && in.ICMPType <= 137 || in.ICMPType == 143)
	case packet.ProtoIGMP:
		return in.Kind == packet.IPv4
	}
	return false
}
