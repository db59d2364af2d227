package conntrack

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Class returns what the loss of the connection of flow would cost. The kernel's early_drop knows two of the three: assured or not.
func (t *Tracker) Class(flow uint32) state.Class {
	c := &t.conns[flow]
	switch c.proto {
	case packet.ProtoTCP:
		if c.tcp == lastAck || c.tcp == timeWait || c.tcp == tcpClose {
			return state.Answered // over
		}
	case packet.ProtoUDP, packet.ProtoUDPLite:
	case packet.ProtoICMP, packet.ProtoICMPv6:
		if c.status&(seenReply|seenReplyToOther) != 0 {
			return state.Answered
		}
		return state.Unanswered
	default: // no states, no streams: answered is as much as there is
		if c.status&seenReply != 0 {
			return state.Established
		}
	}
	switch {
	case c.status&assured != 0:
		return state.Established
	case c.status&seenReply != 0:
		return state.Answered
	}
	return state.Unanswered
}

// Expires returns when the connection of flow is forgotten if it stays silent, in ns since the Unix epoch; 0 if there is none.
func (t *Tracker) Expires(flow uint32) int64 {
	c := &t.conns[flow]
	if c.proto == packet.ProtoICMP || c.proto == packet.ProtoICMPv6 {
		return max(c.expires[0], c.expires[1])
	}
	return c.expires[0]
}
