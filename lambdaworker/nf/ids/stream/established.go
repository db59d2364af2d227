package stream

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// inEstablished: data flows, until both FINs are acknowledged.
func (t *Tracker) inEstablished(s *session, g *Segment, o *options, out *Result) {
	switch {
	case g.Flags&rst != 0:
		t.tryReset(s, g, out)
	case g.Flags&syn != 0:
		// Nothing of a handshake has a meaning any more; the answer of the true receiver would be a challenge ACK (RFC 5961).
		h := &s.half[out.Dir]
		if seq(g.Seq) == h.isn {
			out.Accepted = true
			out.Events |= Retransmission
		} else {
			out.Events |= BadHandshake
		}
	default:
		t.transfer(s, g, o, out)
	}
}

// transfer checks a segment against the windows, takes its bytes and its acknowledgement.
func (t *Tracker) transfer(s *session, g *Segment, o *options, out *Result) {
	h, r := &s.half[out.Dir], &s.half[out.Dir.Opposite()]
	n := seq(len(g.Payload))
	at := seq(g.Seq)
	if !h.begun { // picked up by the other side's first segment
		h.start(at-1, at, t.cfg.Raw)
	}
	if s.times && o.hasTime && int32(o.tsval-h.tsval) < 0 && h.tsval != 0 {
		out.Events |= BadTimestamp
		return
	}
	if g.Flags&ack != 0 && !t.goodAck(s, r, seq(g.Ack)) {
		out.Events |= BadAck
		return
	}
	if n <= 1 && at == h.next-1 && g.Flags&fin == 0 && at.geq(h.isn+1) && h.acked.geq(h.next) {
		out.Events |= KeepAlive
		out.Accepted = true
		t.acknowledge(s, h, r, g)
		return
	}
	if n > 0 && (at + n).lt(h.acked) && (at + n).leq(h.next) {
		out.Events |= OutOfWindow | Retransmission
		if !t.cfg.Inline { // inline a retransmission may still carry other bytes than what was inspected
			return
		}
	}
	if n > 0 && !s.midstream && (at + n).gt(h.right) {
		out.Events |= OutOfWindow
		return
	}
	out.Accepted = true
	if s.times && o.hasTime && at.leq(h.next) {
		h.tsval = o.tsval
	}
	before := h.next
	if n > 0 {
		t.take(h, at, g, out)
	}
	t.acknowledge(s, h, r, g)
	if g.Flags&fin != 0 && (h.finSeen || (at + n).geq(before)) {
		h.finish(g)
	}
	if s.half[0].finAcked && s.half[1].finAcked {
		s.phase = closed
	}
}

// goodAck reports whether n may acknowledge bytes of r: not beyond the window that r's receiver offered, and not further
// back than a window (StreamTcpValidateAck of the model). What was never seen to be sent may have been lost on its way here.
func (t *Tracker) goodAck(s *session, r *half, n seq) bool {
	if !r.begun || s.midstream {
		return true
	}
	if n.lt(r.acked) {
		return n.geq(r.acked - max(r.right-r.acked, 65535))
	}
	return n.leq(r.right+1) || n.leq(r.next) // a FIN needs no window
}

// acknowledge moves what the receiver of r's bytes has confirmed, and the window it offers.
func (t *Tracker) acknowledge(s *session, h, r *half, g *Segment) {
	if g.Flags&ack == 0 {
		return
	}
	n := seq(g.Ack)
	if !r.begun {
		r.start(n-1, n, t.cfg.Raw)
	}
	if n.gt(r.acked) {
		r.acked = n
	}
	if e := n + seq(g.Window)<<h.wscale; e.gt(r.right) {
		r.right = e
	}
	if r.finSeen && r.offset(n) > int64(r.fin) {
		r.finAcked = true
	}
}

// finish takes a FIN.
func (h *half) finish(g *Segment) {
	if g.Flags&fin == 0 || h.finSeen {
		return
	}
	end := seq(g.Seq) + seq(len(g.Payload))
	off := h.offset(end)
	if off < 0 {
		return
	}
	h.fin, h.finSeen = uint64(off), true
	if (end + 1).gt(h.next) {
		h.next = end + 1
	}
}

// tryReset takes a RST if it is the next in its sender's stream, as BSD and Windows require; otherwise the session
// goes on, since an attacker needs no more than a guess to send one that only the sensor believes.
func (t *Tracker) tryReset(s *session, g *Segment, out *Result) {
	h, r := &s.half[out.Dir], &s.half[out.Dir.Opposite()]
	good := seq(g.Seq) == h.next || !h.begun || h.finSeen && seq(g.Seq) == h.next-1
	if s.midstream {
		good = seq(g.Seq).geq(h.acked) || !h.begun
	}
	if !good || g.Flags&ack != 0 && g.Ack != 0 && !t.goodAck(s, r, seq(g.Ack)) {
		out.Events |= BadReset
		return
	}
	out.Accepted = true
	if g.Flags&ack != 0 && g.Ack != 0 {
		t.acknowledge(s, h, r, g)
	}
	t.close(s)
}

// close ends a session: what is there is all that will come.
func (t *Tracker) close(s *session) {
	s.phase = closed
	for d := range s.half {
		s.half[d].flushed = true
	}
}

// Flush releases all contiguous bytes of a flow, acknowledged or not, and makes Raw due; the flow is at its end.
func (t *Tracker) Flush(flow uint32) {
	s := &t.sessions[flow]
	for d := range s.half {
		s.half[d].flushed = true
	}
}

// Ignore ends reassembly of a direction: nothing is handed out or kept any more. Sequence numbers are still followed.
func (t *Tracker) Ignore(flow uint32, dir proto.Dir) {
	h := &t.sessions[flow].half[dir]
	h.ignored = true
	t.drop(h)
}
