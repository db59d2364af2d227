package conntrack

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Conn is what rules may ask of a packet's connection beside its state.
type Conn struct {
	Known     bool   // there is one: neither invalid nor untracked
	Direction uint8  // 0: the packet goes the way of the first one; 1: it is a reply
	Status    uint32 // bits of `ct status`, as the kernel numbers them
	Mark      uint32
}

// Bits of Conn.Status.
const (
	statusSeenReply = 1 << 1
	statusAssured   = 1 << 2
	statusConfirmed = 1 << 3
)

// Conn returns what is known of the connection of p, which Track has just seen in that state.
func (t *Tracker) Conn(p *nf.Packet, state uint8) (i Conn) {
	if state == StateInvalid || state == StateUntracked || p.Flow == nf.NoFlow {
		return i
	}
	c := &t.conns[p.Flow]
	if t.Unconfirmed {
		c = &t.fresh
	} else {
		i.Status = statusConfirmed
	}
	i.Known, i.Mark = true, c.mark
	i.Direction = direction(p, c)
	seen := uint8(seenReply)
	if c.proto == packet.ProtoICMP || c.proto == packet.ProtoICMPv6 {
		// Each direction has a query of its own; the packet belongs to the one that its type says.
		if _, answer, ok := icmpQuery(p.Proto, p.ICMPType); ok {
			if i.Direction = 0; answer {
				i.Direction = 1
			}
			if p.Reverse != answer {
				seen = seenReplyToOther
			}
		}
	}
	if c.status&seen != 0 {
		i.Status |= statusSeenReply
	}
	if c.status&assured != 0 {
		i.Status |= statusAssured
	}
	return i
}

// SetMark gives the connection that Track has just seen a packet of a mark.
func (t *Tracker) SetMark(flow uint32, mark uint32) {
	if t.Unconfirmed {
		t.fresh.mark = mark
		return
	}
	t.conns[flow].mark = mark
	t.Changed = true
}
