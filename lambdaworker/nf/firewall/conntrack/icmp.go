package conntrack

import (
	"bytes"
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// icmpQuery returns the type of the query that typ is or answers; of other messages, ok is false.
func icmpQuery(proto, typ uint8) (query uint8, answer, ok bool) {
	if proto == packet.ProtoICMPv6 {
		switch typ {
		case 128, 129: // echo, RFC 4443
			return 128, typ == 129, true
		case 139, 140: // node information, RFC 4620
			return 139, typ == 140, true
		}
		return 0, false, false
	}
	switch typ {
	case 8, 0: // echo, RFC 792
		return 8, typ == 0, true
	case 13, 14, 15, 16, 17, 18: // timestamp, information, address mask
		return typ - 1 + typ&1, typ&1 == 0, true
	}
	return 0, false, false
}

// IsICMPError: messages that quote the packet they are about.
func IsICMPError(proto, typ uint8) bool {
	if proto == packet.ProtoICMPv6 {
		return typ < 128
	}
	return typ == 3 || typ == 4 || typ == 5 || typ == 11 || typ == 12
}

// icmp tracks queries, each direction's by itself, and finds the connection that an error is about.
func (t *Tracker) icmp(p *nf.Packet) uint8 {
	later := p.FragOff != 0 // a fragment: what its datagram's first one said is known
	if p.Problem != packet.OK || !later && (!p.HasL4 || int(p.L4)+8 > min(len(p.Data), int(p.End))) {
		return StateInvalid
	}
	if IsICMPError(p.Proto, p.ICMPType) {
		if later {
			return StateInvalid // it quotes nothing
		}
		return t.icmpError(p)
	}
	if p.Proto == packet.ProtoICMPv6 && (p.ICMPType >= 130 && p.ICMPType <= 136 || p.ICMPType == 143) {
		return StateUntracked // neighbour and router discovery, listener reports: the kernel does not track them
	}
	query, answer, ok := icmpQuery(p.Proto, p.ICMPType)
	if !ok {
		return StateInvalid
	}
	id := uint32(p.SrcPort)
	if !later {
		id = uint32(binary.BigEndian.Uint16(p.Data[p.L4+4:]))
	}
	dir := uint8(0)
	if p.Reverse != answer {
		dir = 1 // who asked: the higher endpoint
	}
	c := &t.conns[p.Flow]
	h := &c.half[dir]
	bit := uint8(seenReply)
	if dir == 1 {
		bit = seenReplyToOther
	}
	known := c.proto == p.Proto && c.expires[dir] > p.Time && h.end == id && h.flags == query && h.scale == p.ICMPCode
	switch {
	case known:
		t.Changed = true
		c.expires[dir] = p.Time + t.timeouts.ICMP.NS()
		if answer {
			c.status |= bit
		}
		if c.status&bit != 0 {
			return StateEstablished
		}
		return StateNew
	case answer:
		return StateInvalid
	}
	// The other direction's query, if there is one, stays.
	t.fresh = connection{proto: p.Proto, epoch: t.epoch}
	if c.proto == p.Proto {
		t.fresh = *c
	}
	t.Unconfirmed = true
	n := &t.fresh
	n.status &^= bit
	n.expires[dir] = p.Time + t.timeouts.ICMP.NS()
	n.half[dir] = tcpHalf{end: id, flags: query, scale: p.ICMPCode}
	return StateNew
}

// icmpError: related if the packet quoted belongs to a connection and the error goes to who sent that packet.
func (t *Tracker) icmpError(p *nf.Packet) uint8 {
	var q packet.Info
	if !packet.ParseQuoted(p.Data, int(p.L4)+8, p.Kind, &q) || q.Frag && !q.FirstFrag {
		return StateInvalid
	}
	if !bytes.Equal(q.Src(p.Data), p.Dst(p.Data)) {
		return StateInvalid
	}
	c := &t.conns[p.Flow] // the key of an error is that of the packet it quotes
	if c.proto != trackedAs(q.Proto) {
		return StateInvalid
	}
	dir := 0
	if q.Proto == packet.ProtoICMP || q.Proto == packet.ProtoICMPv6 {
		_, answer, ok := icmpQuery(q.Proto, q.ICMPType)
		if !ok {
			return StateInvalid
		}
		if !p.Reverse != answer { // the quoted packet went the other way
			dir = 1
		}
	}
	if c.expires[dir] <= p.Time {
		return StateInvalid
	}
	return StateRelated
}
