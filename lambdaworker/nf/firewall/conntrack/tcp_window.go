package conntrack

import "encoding/binary"

// tcpHalf is one direction of a TCP connection: what its sender may send, after van Rooij, "Real Stateful TCP Packet
// Filtering in IP Filter".
type tcpHalf struct {
	end    uint32 // highest sequence number seen, plus length
	maxEnd uint32 // highest one that the receiver has room for
	maxWin uint32 // largest window offered
	maxAck uint32 // highest acknowledgement sent
	scale  uint8
	flags  uint8
}

func before(a, b uint32) bool { return int32(a-b) < 0 }
func after(a, b uint32) bool  { return int32(b-a) < 0 }

// readOptions takes window scale and SACK permission from a SYN's options (RFC 7323, RFC 2018).
func (h *tcpHalf) readOptions(o []byte) {
	if len(o) == 0 {
		return // what an earlier SYN agreed on stays, as in the kernel
	}
	h.scale = 0
	h.flags &= beLiberal
	for len(o) > 0 {
		switch {
		case o[0] == 0:
			return
		case o[0] == 1:
			o = o[1:]
			continue
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return
		case o[0] == 4 && o[1] == 2:
			h.flags |= sackPermitted
		case o[0] == 3 && o[1] == 3:
			h.scale = min(o[2], 14)
			h.flags |= windowScale
		}
		o = o[o[1]:]
	}
}

// sackEnd returns the highest sequence number that a segment acknowledges, selectively or not.
func sackEnd(o []byte, ack uint32) uint32 {
	for len(o) > 0 {
		switch {
		case o[0] == 0:
			return ack
		case o[0] == 1:
			o = o[1:]
			continue
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return ack
		case o[0] == 5 && o[1] >= 10 && (o[1]-2)%8 == 0:
			for at := 2; at+8 <= int(o[1]); at += 8 {
				if right := binary.BigEndian.Uint32(o[at+4:]); after(right, ack) {
					ack = right
				}
			}
		}
		o = o[o[1]:]
	}
	return ack
}

type windowVerdict uint8

const (
	windowOK windowVerdict = iota
	windowIgnore
	windowInvalid
)

// maxAckWindow: acknowledgements older than this are out of the window, however small it is.
const maxAckWindow = 66000

func (h *tcpHalf) init(other *tcpHalf, s *Segment, reply bool) {
	h.end, h.maxEnd = s.End, s.End
	h.maxWin = max(uint32(s.win), 1)
	h.readOptions(s.options)
	if reply && (h.flags&windowScale == 0 || other.flags&windowScale == 0) {
		h.scale, other.scale = 0, 0 // both must ask for scaling
	}
}

// window checks a segment against what its receiver has room for and what its sender has seen, and notes what it says.
func (c *connection) window(dir uint8, s *Segment, liberal bool) windowVerdict {
	snd, rcv := &c.half[dir], &c.half[dir^1]
	seq, ack, sack, end, win := s.seq, s.ack, s.ack, s.End, uint32(s.win)
	hasAck, syn := s.flags&16 != 0, s.flags&2 != 0
	if rcv.flags&sackPermitted != 0 {
		sack = sackEnd(s.options, sack)
	}
	switch {
	case snd.maxWin == 0 && syn:
		snd.init(rcv, s, dir == 1)
		if !hasAck {
			return windowOK // simultaneous open
		}
	case snd.maxWin == 0:
		snd.end = end
		snd.maxWin = max(win<<snd.scale, 1)
		snd.maxEnd = end + snd.maxWin
		if rcv.maxWin == 0 {
			rcv.end, rcv.maxEnd = sack, sack
		} else if sack == rcv.end+1 {
			rcv.end++ // answers a keepalive
		}
	case syn && after(end, snd.end) && (c.tcp == synSent || c.tcp == synRecv):
		snd.init(rcv, s, dir == 1)
		if dir == 1 && !hasAck {
			return windowOK
		}
	}
	if !hasAck || s.flags&0x14 == 0x14 && ack == 0 {
		ack, sack = rcv.end, rcv.end // nothing acknowledged: as if all were
	}
	if (snd.flags|rcv.flags)&resyncing != 0 {
		snd.catchUp(rcv, end, sack, win, syn)
	}
	if s.flags&4 != 0 && seq == 0 && c.tcp == synSent {
		seq, end = snd.end, snd.end // a RST that answers a SYN
	}
	wrong := func(v windowVerdict) windowVerdict {
		if liberal || snd.flags&beLiberal != 0 {
			return windowOK
		}
		return v
	}
	lowest := rcv.end - max(snd.maxWin, maxAckWindow) - 1
	if !before(seq, snd.maxEnd+1) {
		overshot := end - snd.maxEnd + 1
		inWindow := rcv.maxWin != 0 && after(end, snd.end-rcv.maxWin-1)
		if inWindow && after(sack, lowest) && overshot <= rcv.maxWin && before(sack, rcv.end+1) {
			snd.end = end
			snd.flags |= unacknowledged
			return wrong(windowIgnore)
		}
		return wrong(windowInvalid)
	}
	if !before(sack, rcv.end+1) {
		return wrong(windowInvalid)
	}
	if rcv.maxWin != 0 && !after(end, snd.end-rcv.maxWin-1) || !after(sack, lowest) {
		return wrong(windowIgnore)
	}
	c.advance(snd, rcv, dir, s, ack, sack, end, win)
	return windowOK
}

// advance notes what a segment in the window says.
func (c *connection) advance(snd, rcv *tcpHalf, dir uint8, s *Segment, ack, sack, end, win uint32) {
	if s.flags&2 == 0 {
		win <<= snd.scale
	}
	snd.maxWin = max(snd.maxWin, win+(sack-ack))
	if after(end, snd.end) {
		snd.end = end
		snd.flags |= unacknowledged
	}
	if s.flags&16 != 0 && (snd.flags&maxAckSet == 0 || after(ack, snd.maxAck)) {
		snd.maxAck = ack
		snd.flags |= maxAckSet
	}
	if rcv.maxWin != 0 && after(end, snd.maxEnd) {
		rcv.maxWin += end - snd.maxEnd
	}
	if after(sack+win, rcv.maxEnd-1) {
		rcv.maxEnd = sack + win
		if win == 0 {
			rcv.maxEnd++
		}
	}
	if ack == rcv.end {
		rcv.flags &^= unacknowledged
		if rcv.maxWin != 0 {
			rcv.flags &^= resyncing
		}
	}
	if s.kind == segACK {
		if c.lastDir == dir && c.lastSeq == s.seq && c.lastAck == ack && c.lastEnd == end && c.lastWin == s.win {
			c.retrans = min(c.retrans+1, 250)
		} else {
			c.lastDir, c.lastSeq, c.lastAck, c.lastEnd, c.lastWin, c.retrans = dir, s.seq, ack, end, s.win, 0
		}
	}
}
