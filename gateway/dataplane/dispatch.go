package dataplane

import (
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/relay/wire"
)

// arrive counts slot i as come to its present stage, and dispatches it.
func (s *Shard) arrive(i uint32) {
	sl := &s.slots.s[i]
	s.routes[s.poolOf(i)].arrivals[sl.sub].count(s.slots.frames[i].Wire)
	s.dispatch(i)
}

// dispatch ships slot i to the worker that has its sub-flow in its present stage, or lets it wait.
func (s *Shard) dispatch(i uint32) {
	sl := &s.slots.s[i]
	pool := s.cfg.Chains[sl.chain].First + int(sl.stage)
	r := &s.routes[pool]
	id := r.conn[sl.sub]
	if id == noConn {
		s.unassigned++
		s.wait(&r.waiting[sl.sub], i, noConn)
		return
	}
	r.held[sl.sub]++
	c := &s.conns.all[id]
	if c.suspects.n > 0 || c.waiting.n > 0 && sl.losses == 0 || !s.ship(c, id, i) {
		if c.awaited() == 0 {
			c.progress = s.clock.now // a worker that takes nothing is timed like one that answers nothing
		}
		s.wait(c.queueOf(sl.losses), i, id)
	}
}

// ship adds slot i to the batch of connection c, whose index is id; false if there is no room.
func (s *Shard) ship(c *conn, id uint16, i uint32) bool {
	sl := &s.slots.s[i]
	f := &s.slots.frames[i]
	carried := f.Data
	if !s.cfg.Stages[c.pool].Whole {
		carried = carried[:sl.headers]
	}
	extra := 0
	if sl.flags&fragmented != 0 {
		extra = wire.UpperSize
	}
	// Some captures say that less was on the wire than they hold.
	onWire := max(int(f.Wire), len(f.Data))
	if onWire > wire.MaxPacket {
		// Longer than the wire format can say: policy decides as if no verdict had come.
		s.routes[c.pool].held[sl.sub]--
		s.resolve(i, NoVerdict)
		return true
	}
	if !c.admits(sl.losses, s.cfg.MaxDeaths) || !c.link.Room(extra+len(carried)) {
		return false
	}
	at := f.Time
	if at == 0 {
		at = s.clock.wall()
	}
	if c.inflight == 0 {
		c.progress, c.losses = s.clock.now, sl.losses
	}
	if !c.dirty {
		c.link.Tick(s.clock.now)
		c.dirty, c.batchSince = true, s.clock.now
		s.conns.dirty = append(s.conns.dirty, id)
	}
	c.inflight++
	if extra > 0 {
		c.link.AddFragment(s.slots.ref(i), sl.sub, sl.side == ingress.Outside, onWire, s.wireUpper(i), carried, len(carried) == onWire, max(at, 0))
	} else {
		c.link.Add(s.slots.ref(i), sl.sub, sl.side == ingress.Outside, onWire, carried, len(carried) == onWire, max(at, 0))
	}
	sl.phase, sl.holder = sent, id
	s.led.BatchPackets++
	return true
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
