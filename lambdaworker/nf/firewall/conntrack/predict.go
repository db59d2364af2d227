package conntrack

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Nearly all segments are data or acknowledgements, in the window, of a connection that is established both ways. What
// tcp makes of those is done here in a straight line: the header prediction of TCP's receivers (Jacobson 1990), for a
// tracker. It decides nothing of its own; whatever is not covered is left to tcp untouched.

// confirmed: both directions were seen, and the handshake's end or data after it.
const confirmed = seenReply | assured

// timestampsOnly are the options NOP, NOP, timestamps of RFC 7323 appendix A, which fill a header of 32 bytes. They
// acknowledge nothing.
const timestampsOnly = 0x0101080a

// Known moves the connection of p on if p is established by it and moves no state, which most packets of TCP and UDP are, and
// reports whether that was so. Where it was not, nothing is changed, and Track must follow.
func (t *Tracker) Known(p *nf.Packet) bool {
	c := &t.conns[p.Flow]
	if c.proto != p.Proto || c.expires[0] <= p.Time || c.epoch != t.epoch {
		return false
	}
	if p.Proto != packet.ProtoTCP {
		return t.knownDatagram(p, c)
	}
	if c.tcp != tcpEstablished || c.status&confirmed != confirmed || p.TCPFlags&0x37 != 0x10 {
		return false
	}
	l4 := uint32(p.L4)
	h := p.Data[l4:]
	if len(h) < 20 {
		return false
	}
	dir := direction(p, c) & 1
	snd, rcv := &c.half[dir], &c.half[dir^1]
	header := uint32(h[12]>>4) * 4
	if header != 20 && rcv.flags&sackPermitted != 0 && (header != 32 || len(h) < 24 || binary.BigEndian.Uint32(h[20:]) != timestampsOnly) {
		return false
	}
	seq, ack, win := binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint16(h[14:])
	end := seq + (p.End - l4 - header)
	// The four bounds of window; a difference below zero has its top bit set.
	if snd.maxWin == 0 || rcv.maxWin == 0 ||
		int32((seq-snd.maxEnd-1)&(ack-rcv.end-1)&(snd.end-rcv.maxWin-1-end)&(rcv.end-max(snd.maxWin, maxAckWindow)-1-ack)) >= 0 {
		return false
	}
	scaled := uint32(win) << snd.scale
	snd.maxWin = max(snd.maxWin, scaled)
	if after(end, snd.end) {
		snd.end = end
		snd.flags |= unacknowledged
	}
	if snd.flags&maxAckSet == 0 || after(ack, snd.maxAck) {
		snd.maxAck = ack
		snd.flags |= maxAckSet
	}
	if after(end, snd.maxEnd) {
		rcv.maxWin += end - snd.maxEnd
	}
	if after(ack+scaled, rcv.maxEnd-1) {
		rcv.maxEnd = ack + scaled
		if scaled == 0 {
			rcv.maxEnd++
		}
	}
	if ack == rcv.end {
		rcv.flags &^= unacknowledged | resyncing
	}
	c.lastKind = segACK
	if c.lastSeq == seq && c.lastAck == ack && c.lastEnd == end && c.lastWin == win && c.lastDir == dir {
		c.retrans = min(c.retrans+1, 250)
	} else {
		c.lastDir, c.lastSeq, c.lastAck, c.lastEnd, c.lastWin, c.retrans = dir, seq, ack, end, win, 0
	}
	timeout := t.timeouts.TCPEstablished
	switch {
	case c.retrans >= 3:
		timeout = min(timeout, t.timeouts.TCPRetransmit)
	case (snd.flags|rcv.flags)&unacknowledged != 0:
		timeout = min(timeout, t.timeouts.TCPUnacknowledged)
	case win == 0:
		timeout = min(timeout, t.timeouts.TCPRetransmit)
	}
	c.expires[0] = p.Time + timeout.NS()
	return true
}

// knownDatagram is Known for UDP.
func (t *Tracker) knownDatagram(p *nf.Packet, c *connection) bool {
	if c.status&seenReply == 0 || binary.BigEndian.Uint16(p.Data[p.L4+4:]) < 8 {
		return false
	}
	timeout := t.timeouts.UDP
	if p.Time > c.expires[1] {
		timeout = t.timeouts.UDPStream
		t.Promoted = t.Promoted || c.status&assured == 0
		c.status |= assured
	}
	c.expires[0] = p.Time + timeout.NS()
	return true
}
