package ids

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// pseudo is a packet that nobody sent: the end of a flow lets something be inspected, and the events need addresses.
type pseudo struct {
	frame [14 + 8 + 40 + 20]byte
	p     nf.Packet
}

// packet makes the packet of a flow and direction, with headers alone.
func (x *pseudo) packet(n *IDS, handle uint32, d dir) *nf.Packet {
	key := packet.Key(*n.b.Flows.Key(handle))
	lower, higher, proto := key.Endpoints()
	src, dst := lower, higher
	reverse := n.streams.Swapped(handle) != (d == toClient)
	if reverse {
		src, dst = dst, src
	}
	f := x.frame[:]
	clear(f)
	at := 14
	vlans, tags := key.VLANs()
	binary.BigEndian.PutUint16(f[12:], packet.EtherIPv4)
	for i := range tags {
		binary.BigEndian.PutUint16(f[at-2:], packet.EtherVLAN)
		binary.BigEndian.PutUint16(f[at:], vlans[i])
		at += 4
	}
	if src.Addr().Is4() {
		binary.BigEndian.PutUint16(f[at-2:], packet.EtherIPv4)
		s, t := src.Addr().As4(), dst.Addr().As4()
		packet.IPv4Header(f[at:at+20]).Init(40, proto, s[:], t[:])
		at += 20
	} else {
		binary.BigEndian.PutUint16(f[at-2:], packet.EtherIPv6)
		s, t := src.Addr().As16(), dst.Addr().As16()
		packet.IPv6Header(f[at:at+40]).Init(20, proto, s[:], t[:])
		at += 40
	}
	packet.TCPHeader(f[at:at+20]).Init(src.Port(), dst.Port(), 0, 0, packet.ACK, 0)
	at += 20
	x.p = nf.Packet{Data: f[:at], Wire: uint32(at), Flow: handle, Key: key, Reverse: reverse, Time: n.p.Time, From: n.p.From}
	packet.Parse(x.p.Data, at, &x.p.Info)
	return &x.p
}
