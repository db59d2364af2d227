package conntrack

import (
	"encoding/binary"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Flags of a direction of a TCP connection.
const (
	windowScale = 1 << iota
	sackPermitted
	closedFirst
	beLiberal
	unacknowledged
	maxAckSet
	resyncing // packets of this direction may have been missed
)

// Flags of a connection.
const (
	challengeACK = 1 << iota
	simultaneousOpen
)

// Segment is what is read of a TCP header.
type Segment struct {
	seq, ack, End uint32
	win           uint16
	flags         uint8
	kind          segmentKind
	options       []byte
}

// ReadSegment fills s from p, a TCP packet with a whole header.
func ReadSegment(p *nf.Packet, s *Segment) {
	h := p.Data[p.L4:]
	s.seq, s.ack = binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
	s.win = binary.BigEndian.Uint16(h[14:])
	s.flags = p.TCPFlags
	s.kind = kindOf(s.flags)
	header := int(h[12]>>4) * 4
	s.End = s.seq + uint32(int(p.End)-int(p.L4)-header)
	if s.flags&2 != 0 {
		s.End++
	}
	if s.flags&1 != 0 {
		s.End++
	}
	s.options = h[20:min(header, len(h))]
}

// tcp returns the state of a segment and moves its connection on.
func (t *Tracker) tcp(p *nf.Packet) uint8 {
	if !validFlags[p.TCPFlags&0x37] {
		return StateInvalid
	}
	var s Segment
	ReadSegment(p, &s)
	c := t.alive(p)
	if c == nil || c.tcp == tcpNone {
		return t.tcpBegin(p, &s)
	}
	t.Changed = true
	dir := direction(p, c)
	if c.epoch != t.epoch {
		c.epoch = t.epoch
		c.resync(dir, s.kind)
	}
	outcome := t.tcpStep(c, dir, &s, p.Time)
	switch outcome {
	case tcpReopen:
		c.proto = 0
		return t.tcpBegin(p, &s)
	case tcpRefused:
		return StateInvalid
	}
	result := c.stateOf(dir == 1)
	if dir == 1 {
		c.status |= seenReply
	}
	if outcome == tcpGone {
		c.proto = 0
	}
	return result
}

// tcpBegin makes a connection of the first segment seen.
func (t *Tracker) tcpBegin(p *nf.Packet, s *Segment) uint8 {
	next := transitions[0][s.kind][tcpNone]
	if next == tcpInvalid || next == tcpIgnore {
		return StateInvalid
	}
	c := t.begin(p)
	h := &c.half[0]
	h.end, h.maxWin = s.End, max(uint32(s.win), 1)
	if next == synSent {
		h.maxEnd = s.End
		h.readOptions(s.options)
	} else {
		if !t.loose {
			t.Unconfirmed = false
			return StateInvalid
		}
		// Its history is lost: what was agreed on (SACK, scaling) is not known, so windows are not held against it.
		h.maxEnd = s.End + h.maxWin
		h.flags = sackPermitted | beLiberal
		c.half[1].flags = sackPermitted | beLiberal
	}
	c.lastKind = segNone
	if outcome := t.tcpStep(c, 0, s, p.Time); outcome != tcpTaken {
		t.Unconfirmed = false
		return StateInvalid
	}
	return StateNew
}

// What a segment did to its connection.
type tcpOutcome uint8

const (
	tcpTaken   tcpOutcome = iota // it moved the state, or was left to the end hosts
	tcpRefused                   // invalid
	tcpReopen                    // it starts a new connection in the place of this one
	tcpGone                      // it ended a connection that was never answered
)

// tcpStep moves c by a segment in direction dir: the decisions of the kernel's nf_conntrack_tcp_packet.
func (t *Tracker) tcpStep(c *connection, dir uint8, s *Segment, now int64) tcpOutcome {
	old := c.tcp
	next := transitions[dir][s.kind][old]
	checkWindow := true
	switch next {
	case tcpInvalid:
		return tcpRefused
	case synSent:
		if old < timeWait {
			break
		}
		// A SYN on a closed connection opens another with the same ports (RFC 9293 section 3.6.1).
		if (c.half[0].flags|c.half[1].flags)&closedFirst != 0 || c.lastDir == dir && c.lastKind == segRST {
			return tcpReopen
		}
		next = tcpIgnore
	case timeWait:
		if old == lastAck && s.kind == segACK && c.lastDir != dir && c.lastKind == segSYN && c.flags&challengeACK != 0 {
			c.flags &^= challengeACK
			return tcpTaken
		}
	case synSent2:
		c.flags |= simultaneousOpen
	case synRecv:
		if dir == 1 && s.kind == segACK && c.flags&simultaneousOpen != 0 {
			next = tcpEstablished
		}
	case tcpClose:
		if s.kind == segRST && c.half[dir].flags&resyncing != 0 {
			// Whether it is in order can't be known: the hosts decide, and what they do next will show.
			c.expires[0] = min(c.expires[0], now+t.timeouts.TCPUnacknowledged.NS())
			return tcpTaken
		} else if s.kind == segRST {
			var ok bool
			if next, checkWindow, ok = c.reset(dir, s, old); !ok {
				return tcpRefused
			}
		}
	}
	if next == tcpIgnore {
		var done bool
		if old, next, done = c.ignore(dir, s, old); done {
			return tcpTaken
		}
	}
	if checkWindow {
		switch c.window(dir, s, t.liberal) {
		case windowInvalid:
			t.tcpOutside(c, dir, s.kind, now)
			return tcpRefused
		case windowIgnore:
			return tcpTaken
		}
	}
	c.lastKind, c.lastDir = s.kind, dir
	c.tcp = next
	if old != next && next == finWait {
		c.half[dir].flags |= closedFirst
	}
	return t.tcpRefresh(c, s, old, next, now)
}

// reset decides about a RST: one that answers nothing the connection acknowledged is invalid (RFC 5961 section 3), one
// that is not exactly in order leaves the state as it is.
func (c *connection) reset(dir uint8, s *Segment, old tcpState) (next tcpState, checkWindow, ok bool) {
	if old >= finWait && old <= tcpClose {
		return tcpClose, false, true // closing: the ports may be in use again, by a connection that nothing here fits
	}
	next, checkWindow = tcpClose, true
	// Behind a SYN that was let through an end host may have forgotten the connection: it then knows no numbers.
	if other := &c.half[dir^1]; other.flags&maxAckSet != 0 && c.lastKind != segSYN {
		established := old == tcpEstablished && c.status&assured != 0
		switch {
		case s.seq == 0 && !established:
			return next, checkWindow, true
		case before(s.seq, other.maxAck):
			return next, checkWindow, false
		case !established || s.seq == other.maxAck:
			return next, checkWindow, true
		case c.lastKind == segACK && c.lastDir == dir && s.seq == c.lastEnd:
			return next, checkWindow, true
		}
		next = old
	}
	if old == synSent && c.lastKind == segACK && c.lastDir == 1 && s.seq == c.lastAck {
		checkWindow = false // it answers a challenge ACK, as a client does that uses a port again too soon (RFC 5961 section 4)
	}
	if (c.status&seenReply != 0 && c.lastKind == segSYN && c.lastDir != dir || c.status&assured == 0 && c.lastKind == segACK) && s.ack == c.lastEnd {
		checkWindow = false // it answers a SYN or ACK that was let through before
	}
	return next, checkWindow, true
}

// ignore handles segments that make no sense to us but may to the end hosts. done is false for a SYN-ACK that answers
// a SYN which was ignored: the hosts were right, and the connection starts over from there.
func (c *connection) ignore(dir uint8, s *Segment, old tcpState) (from, next tcpState, done bool) {
	if s.kind == segSYNACK && c.lastKind == segSYN && c.lastDir != dir && s.ack == c.lastEnd {
		h := &c.half[dir^1]
		h.end, h.maxEnd, h.maxWin = c.lastEnd, c.lastEnd, max(uint32(c.lastWin), 1)
		h.scale = c.scale
		h.flags = c.flags >> 4
		c.flags &= 0xf &^ challengeACK
		c.half[dir] = tcpHalf{flags: c.half[dir].flags & beLiberal}
		return synSent, synRecv, false
	}
	c.lastKind, c.lastDir = s.kind, dir
	c.lastSeq, c.lastEnd, c.lastWin = s.seq, s.End, s.win
	if s.kind == segSYN && dir == 0 {
		var h tcpHalf
		h.readOptions(s.options)
		c.flags = h.flags<<4 | c.flags&simultaneousOpen
		c.scale = h.scale
		if old == lastAck {
			c.flags |= challengeACK
		}
	}
	if old == synSent && s.kind == segACK && dir == 1 {
		c.lastAck = s.ack
	}
	return old, old, true
}

// tcpOutside notes an end of the connection that is out of the window. Once both sides say so, and the connection is only out of
// step with them, it is kept no longer than with data unacknowledged.
func (t *Tracker) tcpOutside(c *connection, dir uint8, kind segmentKind, now int64) {
	if c.status&assured == 0 || kind != segRST && kind != segFIN {
		return
	}
	if c.lastDir == dir || c.lastKind != segRST && c.lastKind != segFIN {
		c.lastKind, c.lastDir = kind, dir
		return
	}
	if soon := now + t.timeouts.TCPUnacknowledged.NS(); c.expires[0]-now >= 120e9 && c.expires[0] > soon {
		c.expires[0] = soon
	}
}

// tcpRefresh sets the time at which c is forgotten.
func (t *Tracker) tcpRefresh(c *connection, s *Segment, old, next tcpState, now int64) tcpOutcome {
	timeout := t.timeouts.tcp(next)
	shorter := func(d Duration) {
		if timeout > d {
			timeout = d
		}
	}
	switch {
	case c.retrans >= 3:
		shorter(t.timeouts.TCPRetransmit)
	case s.kind == segRST:
		timeout = t.timeouts.TCPClose
	case (c.half[0].flags|c.half[1].flags)&unacknowledged != 0:
		shorter(t.timeouts.TCPUnacknowledged)
	case c.lastWin == 0:
		shorter(t.timeouts.TCPRetransmit)
	}
	if c.status&seenReply == 0 {
		if s.kind == segRST {
			return tcpGone
		}
		if s.kind == segSYN && old == synSent {
			return tcpTaken // a SYN sent again buys no time
		}
		if next == tcpEstablished {
			shorter(t.timeouts.TCPUnacknowledged)
		}
	} else if c.status&assured == 0 && (old == synRecv || old == tcpEstablished) && next == tcpEstablished {
		c.status |= assured
	}
	c.expires[0] = now + timeout.NS()
	return tcpTaken
}
