package conntrack

// Resync says that packets may have passed unseen, while the gateway was stopped, say. Connections that are known now are taken up where
// they are found: the first segments of each are believed, and windows are held against the hosts again once each side has
// acknowledged what was seen of the other.
func (t *Tracker) Resync() {
	if t.epoch++; t.epoch == 0 { // wrapped: connections that were silent for 256 gaps would count as followed
		t.epoch = 1
		for i := range t.conns {
			t.conns[i].epoch = 0
		}
	}
}

// resync forgets what was known of the windows of c, whose next segment, in direction dir, is of that kind.
func (c *connection) resync(dir uint8, kind segmentKind) {
	if (c.tcp == synSent || c.tcp == synRecv) && dir == 0 && kind != segSYN && kind != segRST {
		c.tcp = tcpEstablished // whoever asked goes on: the answer was missed
		c.status |= seenReply | assured
	}
	if c.tcp < tcpEstablished || c.tcp == synSent2 {
		return // no data can have been missed
	}
	for i := range c.half {
		h := &c.half[i]
		h.end, h.maxEnd, h.maxWin, h.maxAck = 0, 0, 0, 0
		h.flags = h.flags&(windowScale|sackPermitted|closedFirst|beLiberal) | resyncing
	}
	c.lastKind, c.retrans = segNone, 0
}

// catchUp moves both halves to where a segment shows them to be: its sender by what it sends, the receiver by what it is told to have sent.
func (h *tcpHalf) catchUp(rcv *tcpHalf, end, sack, win uint32, syn bool) {
	if !syn {
		win <<= h.scale
	}
	if h.flags&resyncing != 0 && (h.maxWin == 0 || after(end, h.maxEnd)) {
		h.end, h.maxWin = end, max(win, 1)
		h.maxEnd = end + h.maxWin
	}
	if rcv.flags&resyncing != 0 && after(sack, rcv.end) {
		rcv.end, rcv.maxEnd, rcv.maxWin = sack, sack, 0 // until the receiver shows by a segment of its own where it is
	}
}
