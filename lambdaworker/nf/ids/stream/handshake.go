package stream

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

const (
	syn = packet.SYN
	ack = packet.ACK
	fin = packet.FIN
	rst = packet.RST
)

// open begins a session with its first segment, if that can begin one.
func (t *Tracker) open(s *session, g *Segment, out *Result) {
	o := parseOptions(g.Options)
	switch {
	case g.Flags&rst != 0:
		out.Events |= Unsolicited
		return
	case g.Flags&(syn|ack|fin) == syn:
		s.swapped = g.Reverse
		out.Dir = proto.ToServer
		t.client(s, g, &o, out)
	case !t.cfg.Midstream || g.Flags&ack == 0:
		out.Events |= Unsolicited
		return
	case g.Flags&syn != 0:
		// A SYN-ACK comes from the server; the client's SYN is read off it.
		s.swapped = !g.Reverse
		s.midstream = true
		out.Dir = proto.ToClient
		c := &s.half[proto.ToServer]
		c.start(seq(g.Ack)-1, seq(g.Ack), t.cfg.Raw)
		c.wscale = 14 // not seen: take the widest
		t.server(s, g, &o)
		s.phase = synReceived
	default:
		t.pickUp(s, g, &o, out)
	}
	out.Accepted, out.New = true, true
	t.stats.Sessions++
	if s.midstream {
		t.stats.Midstream++
	}
}

// client takes a SYN.
func (t *Tracker) client(s *session, g *Segment, o *options, out *Result) {
	c := &s.half[proto.ToServer]
	c.start(seq(g.Seq), seq(g.Seq)+1, t.cfg.Raw)
	if o.hasScale {
		c.wscale = o.wscale
	}
	if o.hasTime {
		s.times, c.tsval = true, o.tsval
	}
	c.right = c.next + 65535
	s.half[proto.ToClient].right = seq(g.Window) // relative until the server's number is known
	s.fastOpen = o.fastOpen
	s.phase = synSent
	if len(g.Payload) > 0 {
		out.Events |= SynData
		if o.fastOpen {
			t.take(c, seq(g.Seq)+1, g, out)
		}
	}
}

// server takes a SYN-ACK.
func (t *Tracker) server(s *session, g *Segment, o *options) {
	c, v := &s.half[proto.ToServer], &s.half[proto.ToClient]
	window := v.right
	scale := c.wscale
	v.start(seq(g.Seq), seq(g.Seq)+1, t.cfg.Raw)
	v.right = v.next + max(window<<scale, window)
	if o.hasScale {
		v.wscale = o.wscale
	} else if !s.midstream {
		v.wscale, c.wscale = 0, 0 // scaling needs both (RFC 7323 section 2.2)
	}
	if s.times = s.times && o.hasTime || s.midstream && o.hasTime; s.times {
		v.tsval = o.tsval
	}
	c.acked = seq(g.Ack)
	c.right = seq(g.Ack) + seq(g.Window) // the window of a SYN is never scaled
}

// pickUp begins a session in its middle: whoever is seen first is taken for the client, unless the caller knows better.
func (t *Tracker) pickUp(s *session, g *Segment, o *options, out *Result) {
	s.swapped = g.Reverse != g.FromServer
	s.midstream = true
	s.phase = established
	out.Dir = proto.ToServer
	if g.FromServer {
		out.Dir = proto.ToClient
	}
	c, v := &s.half[out.Dir], &s.half[out.Dir.Opposite()]
	c.start(seq(g.Seq)-1, seq(g.Seq), t.cfg.Raw)
	v.start(seq(g.Ack)-1, seq(g.Ack), t.cfg.Raw)
	c.wscale, v.wscale = 14, 14
	v.right = v.next + seq(g.Window)<<14
	c.right = c.next + 65535<<14
	if o.hasTime {
		s.times, c.tsval = true, o.tsval
	}
	t.take(c, seq(g.Seq), g, out)
	c.finish(g)
}

// inSynSent: the client has spoken.
func (t *Tracker) inSynSent(s *session, g *Segment, o *options, out *Result) {
	c := &s.half[proto.ToServer]
	switch {
	case g.Flags&rst != 0:
		// To the client it must answer the SYN (RFC 9293 section 3.10.7.3); from the client it must be next.
		if out.Dir == proto.ToClient && (g.Flags&ack == 0 || !answers(c, seq(g.Ack))) || out.Dir == proto.ToServer && seq(g.Seq) != c.next && seq(g.Seq) != c.isn+1 {
			out.Events |= BadReset
			return
		}
		out.Accepted = true
		t.close(s)
	case g.Flags&(syn|ack) == syn|ack && out.Dir == proto.ToClient:
		if !answers(c, seq(g.Ack)) {
			out.Events |= BadHandshake
			return
		}
		if c.next != seq(g.Ack) { // fast open refused: the data will come again
			t.drop(c)
			c.given, c.edge, c.next = c.app, c.app, seq(g.Ack)
		}
		out.Accepted = true
		t.server(s, g, o)
		s.phase = synReceived
		if len(g.Payload) > 0 {
			out.Events |= SynData
			if s.fastOpen {
				t.take(&s.half[proto.ToClient], seq(g.Seq)+1, g, out)
			}
		}
	case g.Flags&(syn|ack) == syn && out.Dir == proto.ToServer:
		out.Accepted = true
		if seq(g.Seq) == c.isn {
			out.Events |= Retransmission
			return
		}
		// Nobody has answered: the newer attempt is the one that counts.
		out.Events |= BadHandshake
		t.drop(c)
		*c = half{}
		t.client(s, g, o, out)
	case g.Flags&(syn|ack) == syn: // both ends open at once (RFC 9293 figure 7)
		v := &s.half[proto.ToClient]
		window := v.right
		v.start(seq(g.Seq), seq(g.Seq)+1, t.cfg.Raw)
		v.right = v.next + window
		v.wscale = o.wscale
		out.Accepted = true
		s.phase = synReceived
	case s.fastOpen && out.Dir == proto.ToServer && g.Flags&ack == 0 && len(g.Payload) > 0:
		out.Accepted = true
		t.take(c, seq(g.Seq), g, out)
	default:
		out.Events |= BadHandshake
	}
}

// answers reports whether n acknowledges c's SYN, with all, some or none of its data.
func answers(c *half, n seq) bool { return n.gt(c.isn) && n.leq(c.next) }

// inSynReceived: both have spoken; the client's acknowledgement is missing.
func (t *Tracker) inSynReceived(s *session, g *Segment, o *options, out *Result) {
	c, v := &s.half[proto.ToServer], &s.half[proto.ToClient]
	switch {
	case g.Flags&rst != 0:
		t.tryReset(s, g, out)
	case g.Flags&syn != 0 && out.Dir == proto.ToClient:
		out.Accepted = true
		if seq(g.Seq) == v.isn {
			out.Events |= Retransmission
		} else { // one of the two is forged; the client's acknowledgement will tell
			out.Events |= BadHandshake
			s.other, s.otherAck = seq(g.Seq), true
		}
		if g.Flags&ack != 0 && answers(c, seq(g.Ack)) {
			c.acked = seq(g.Ack)
		}
	case g.Flags&syn != 0:
		out.Accepted = seq(g.Seq) == c.isn
		out.Events |= Retransmission
		if g.Flags&ack != 0 && out.Accepted && seq(g.Ack) == v.next { // the answer in a simultaneous open
			v.acked = seq(g.Ack)
			s.phase = established
		}
	case g.Flags&ack == 0:
		out.Events |= BadHandshake
	case out.Dir == proto.ToClient:
		// Data of a server ahead of the client's acknowledgement: only fast open may.
		if !s.fastOpen && !s.midstream {
			out.Events |= BadHandshake
			return
		}
		t.transfer(s, g, o, out)
	default:
		if s.otherAck && seq(g.Ack) == s.other+1 {
			right := v.right - v.next
			v.start(s.other, s.other+1, t.cfg.Raw)
			v.right = v.next + right
			s.otherAck = false
		}
		if seq(g.Ack).lt(v.isn+1) || seq(g.Ack).gt(v.right) || seq(g.Ack).gt(v.next) && !s.fastOpen && !s.midstream {
			out.Events |= BadAck
			return
		}
		s.phase = established
		t.transfer(s, g, o, out)
		if !out.Accepted {
			s.phase = synReceived
		}
	}
}
