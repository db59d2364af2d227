package stream

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// Tracker follows the TCP sessions of a flow table. It is used by one goroutine.
type Tracker struct {
	cfg      Config
	arena    *arena.Arena
	sessions []session
	pool     []segment
	free     uint32 // first free record of pool + 1
	scratch  []byte // a segment's bytes after the overlap policy
	stats    Stats
}

// Stats are counters of a Tracker since its start.
type Stats struct {
	Sessions     uint64
	Midstream    uint64
	Reused       uint64
	Gaps         uint64
	GapBytes     uint64
	NoMemory     uint64 // segments that found no room
	Overlaps     uint64 // segments with bytes that overlap waiting ones
	Different    uint64 // of those, with different bytes
	OutOfOrder   uint64
	DepthReached uint64 // directions
	BadChecksum  uint64
	Rejected     uint64 // segments that failed a check of their session's state
	RawMissed    uint64 // bytes that Raw never showed: no memory, or two gaps at once
}

// New makes a tracker.
func New(cfg Config) *Tracker {
	cfg.defaults()
	t := &Tracker{cfg: cfg, arena: cfg.Arena, sessions: make([]session, cfg.Flows), pool: make([]segment, cfg.Segments), scratch: make([]byte, 1<<16)}
	for i := range t.pool {
		t.pool[i].next = uint32(i)
	}
	t.free = uint32(len(t.pool))
	return t
}

// Packet judges a segment of flow, takes its bytes, and fills out.
func (t *Tracker) Packet(flow uint32, s *Segment, out *Result) {
	*out = Result{}
	ssn := &t.sessions[flow]
	if s.BadChecksum {
		t.stats.BadChecksum++
		out.Dir = ssn.dir(s.Reverse)
		out.Tracked = ssn.phase != none
		out.WasEstablished = ssn.phase >= established
		out.Established = out.WasEstablished
		return
	}
	if s.Flags&packet.URG != 0 {
		out.Events |= Urgent
	}
	if ssn.phase != none && ssn.over(s) {
		t.reset(ssn)
		t.stats.Reused++
		out.Events |= Reused
	}
	if ssn.phase == none {
		t.open(ssn, s, out)
	} else {
		out.WasEstablished = ssn.phase >= established
		out.Dir = ssn.dir(s.Reverse)
		o := parseOptions(s.Options)
		switch ssn.phase {
		case synSent:
			t.inSynSent(ssn, s, &o, out)
		case synReceived:
			t.inSynReceived(ssn, s, &o, out)
		case established:
			t.inEstablished(ssn, s, &o, out)
		case closed:
			out.Events |= AfterClose
		}
		if !out.Accepted {
			t.stats.Rejected++
		}
	}
	out.Tracked = ssn.phase != none
	out.Established = ssn.phase >= established
	out.Closed = ssn.phase == closed
}

// over reports whether s starts the 5-tuple over: a SYN after the session's end, or after both FINs with a number it can't confuse.
func (s *session) over(g *Segment) bool {
	if g.Flags&(packet.SYN|packet.ACK|packet.RST) != packet.SYN {
		return false
	}
	h := &s.half[s.dir(g.Reverse)]
	switch s.phase {
	case closed:
		return true
	case established:
		return s.half[0].finSeen && s.half[1].finSeen && (!h.begun || seq(g.Seq).gt(h.next))
	}
	return false
}

// Swapped reports whether the client is the higher endpoint of the flow's key; Segment.Reverse equal to it is to the server.
func (t *Tracker) Swapped(flow uint32) bool { return t.sessions[flow].swapped }

// Swap exchanges client and server of a session that was picked up midstream: its bytes showed that the guess was wrong.
func (t *Tracker) Swap(flow uint32) {
	s := &t.sessions[flow]
	s.swapped = !s.swapped
	s.half[0], s.half[1] = s.half[1], s.half[0]
}

// Midstream reports whether the session was picked up without its handshake.
func (t *Tracker) Midstream(flow uint32) bool { return t.sessions[flow].midstream }

// Sent returns how much each direction has sent by its sequence numbers, in 32 bits, SYN and FIN included, as stream_size counts.
func (t *Tracker) Sent(flow uint32) (n [2]uint64) {
	for d := range n {
		if h := &t.sessions[flow].half[d]; h.begun {
			n[d] = uint64(uint32(h.next - h.isn))
		}
	}
	return n
}

// Stats returns the counters.
func (t *Tracker) Stats() Stats { return t.stats }

// Forget drops all that is known of a flow and gives its memory back.
func (t *Tracker) Forget(flow uint32) { t.reset(&t.sessions[flow]) }

func (t *Tracker) reset(s *session) {
	for d := range s.half {
		t.drop(&s.half[d])
	}
	*s = session{}
}

// drop gives back the memory of a half.
func (t *Tracker) drop(h *half) {
	for h.first != 0 {
		t.unlinkFirst(h)
	}
	t.arena.Free(&h.buf)
}
