// Package conntrack follows connections as Linux's nf_conntrack does, and says of each packet what `ct state` is.
package conntrack

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Tracker is connection tracking after Linux's nf_conntrack: one connection a flow handle, the state of each packet one of
// the bits of `ct state`. A connection is kept only when its first packet was accepted.
type Tracker struct {
	conns    []connection
	timeouts Timeouts
	loose    bool // TCP is picked up in the middle
	liberal  bool // only RSTs outside of the window are invalid

	epoch       uint8      // of Resync
	fresh       connection // of the packet that is being judged, if it begins one
	Unconfirmed bool       // fresh waits for the verdict
	Changed     bool       // the packet changed the state of its flow
	Promoted    bool       // Known found a stream where there was a question and its answer; whoever reads it clears it
}

// Status bits of a connection.
const (
	seenReply = 1 << iota
	assured
	seenReplyToOther // ICMP: the query of the reverse direction was answered
)

// connection is what is known of one flow. proto is 0 where nothing is.
type connection struct {
	expires  [2]int64 // ns since the Unix epoch; [1] is UDP's start of a stream, and the query of the other direction in ICMP
	proto    uint8
	origin   uint8 // 1 if the first packet came from the higher endpoint (Packet.Reverse)
	status   uint8
	tcp      tcpState
	half     [2]tcpHalf // of origin, of reply
	lastDir  uint8
	lastKind segmentKind
	flags    uint8
	scale    uint8
	retrans  uint8
	epoch    uint8 // that of the tracker when packets of it were last seen without a gap
	lastWin  uint16
	lastSeq  uint32
	lastAck  uint32
	lastEnd  uint32
	mark     uint32 // `ct mark`
}

// NewTracker makes a tracker of n flow handles.
func NewTracker(n int, timeouts Timeouts, loose, liberal bool) *Tracker {
	return &Tracker{conns: make([]connection, n), timeouts: timeouts, loose: loose, liberal: liberal}
}

// anyProto stands for 0 as a connection's protocol, since 0 there means none.
const anyProto = 255

func trackedAs(proto uint8) uint8 {
	if proto == 0 {
		return anyProto
	}
	return proto
}

func direction(p *nf.Packet, c *connection) uint8 {
	d := uint8(0)
	if p.Reverse {
		d = 1
	}
	return d ^ c.origin
}

// Track returns the state of a packet and moves its connection on. If pending is set then, keep must follow where the
// packet is accepted.
func (t *Tracker) Track(p *nf.Packet) uint8 {
	t.Unconfirmed, t.Changed = false, false
	if p.Flow == nf.NoFlow {
		return StateInvalid
	}
	switch {
	case p.Frag && !p.Learned: // what it belongs to is not known
		return t.plain(p, t.timeouts.UDP, t.timeouts.UDPStream)
	case p.FragOff != 0:
		return t.fragment(p)
	}
	switch p.Proto {
	case packet.ProtoTCP:
		if p.Problem != packet.OK || !p.HasL4 {
			return StateInvalid
		}
		return t.tcp(p)
	case packet.ProtoUDP:
		if p.Problem != packet.OK || !p.HasL4 || binary.BigEndian.Uint16(p.Data[p.L4+4:]) < 8 {
			return StateInvalid
		}
		return t.plain(p, t.timeouts.UDP, t.timeouts.UDPStream)
	case packet.ProtoUDPLite:
		return t.plain(p, t.timeouts.UDP, t.timeouts.GREStream)
	case packet.ProtoGRE:
		return t.plain(p, t.timeouts.GRE, t.timeouts.GREStream)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return t.icmp(p)
	}
	if p.Problem == packet.BadExtension {
		return StateInvalid
	}
	return t.plain(p, t.timeouts.Generic, t.timeouts.Generic)
}

// Confirm confirms the connection that the last packet seen begins: it was accepted.
func (t *Tracker) Confirm(flow uint32) {
	t.conns[flow] = t.fresh
	t.Unconfirmed, t.Changed = false, true
}

// alive returns the connection of p, nil if there is none or its time is up.
func (t *Tracker) alive(p *nf.Packet) *connection {
	c := &t.conns[p.Flow]
	if c.proto != trackedAs(p.Proto) || c.expires[0] <= p.Time {
		return nil
	}
	return c
}

// begin makes fresh the connection of p.
func (t *Tracker) begin(p *nf.Packet) *connection {
	t.fresh = connection{proto: trackedAs(p.Proto), epoch: t.epoch}
	if p.Reverse {
		t.fresh.origin = 1
	}
	t.Unconfirmed = true
	return &t.fresh
}

// streamAfter is how long a UDP flow has to go on before it counts as a stream, which is kept longer.
const streamAfter = 2e9

// plain tracks protocols that have no states of their own: new until the other side answers.
func (t *Tracker) plain(p *nf.Packet, unreplied, replied Duration) uint8 {
	c := t.alive(p)
	if c == nil {
		c = t.begin(p)
		c.expires = [2]int64{p.Time + unreplied.NS(), p.Time + streamAfter}
		return StateNew
	}
	t.Changed = true
	c.epoch = t.epoch // there is nothing that could have been missed
	reply := direction(p, c) == 1
	timeout := unreplied
	if c.status&seenReply != 0 {
		switch {
		case p.Proto != packet.ProtoUDP && p.Proto != packet.ProtoUDPLite:
			timeout = replied
		case p.Time > c.expires[1]:
			timeout = replied
			c.status |= assured
		}
	}
	c.expires[0] = p.Time + timeout.NS()
	if reply {
		c.status |= seenReply
	}
	return c.stateOf(reply)
}

// stateOf is the state of a packet of a known connection.
func (c *connection) stateOf(reply bool) uint8 {
	if reply || c.status&seenReply != 0 {
		return StateEstablished
	}
	return StateNew
}
