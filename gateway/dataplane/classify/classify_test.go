package classify

import (
	"encoding/binary"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
)

// frame is an Ethernet frame of EtherType with a payload.
func frame(to byte, etherType uint16, payload ...byte) []byte {
	f := make([]byte, max(60, 14+len(payload)))
	f[0], f[6] = to, 2
	binary.BigEndian.PutUint16(f[12:], etherType)
	copy(f[14:], payload)
	return f
}

// ip4 is an IPv4 packet between two hosts, ip6 an IPv6 one; body stands behind the header.
func ip4(proto byte, fragment uint16, body ...byte) []byte {
	h := make([]byte, 20, 46)
	h[0], h[8], h[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(body)))
	binary.BigEndian.PutUint16(h[6:], fragment)
	copy(h[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	return append(h, body...)
}

func ip6(proto byte, body ...byte) []byte {
	h := make([]byte, 40, 80)
	h[0], h[6], h[7] = 0x60, proto, 255
	binary.BigEndian.PutUint16(h[4:], uint16(len(body)))
	h[8], h[23], h[24], h[39] = 0xfe, 1, 0xfe, 2
	return append(h, body...)
}

var ports = []byte{0x03, 0xe8, 0, 53, 0, 8, 0, 0} // UDP 1000 > 53

func TestClassOfAPacket(t *testing.T) {
	for _, tt := range []struct {
		name    string
		frame   []byte
		class   Class
		dropped bool // as malformed, if such are dropped
	}{
		{"UDP", frame(2, packet.EtherIPv4, ip4(packet.ProtoUDP, 0, ports...)...), Judged, false},
		{"UDP over IPv6", frame(2, packet.EtherIPv6, ip6(packet.ProtoUDP, ports...)...), Judged, false},
		{"later fragment", frame(2, packet.EtherIPv4, ip4(packet.ProtoUDP, 1, ports...)...), Judged, false},
		{"UDP header cut short", frame(2, packet.EtherIPv4, ip4(packet.ProtoUDP, 0, 0, 1, 2)...), Judged, true},
		{"runt", []byte{1, 2, 3}, NotIP, true},
		{"IPv4 that is not", frame(2, packet.EtherIPv4, 0x65), NotIP, true},
		{"to a multicast MAC address", frame(1, packet.EtherIPv4, ip4(packet.ProtoUDP, 0, ports...)...), Judged, false},
		{"to the broadcast MAC address", frame(0xff, packet.EtherIPv4, ip4(packet.ProtoUDP, 0, ports...)...), Judged, false},
		{"protocol 2 of IPv6 is no IGMP", frame(2, packet.EtherIPv6, ip6(packet.ProtoIGMP, 0x16, 0)...), Judged, false},
		{"echo", frame(2, packet.EtherIPv6, ip6(packet.ProtoICMPv6, 128, 0, 0, 0, 0, 0, 0, 0)...), Judged, false},
	} {
		var p Packet
		pass, drop := Rules{Layer2: everything}, Rules{Layer2: everything, DropMalformed: true}
		if pass.Packet(tt.frame, uint32(len(tt.frame)), &p); p.Class != tt.class {
			t.Errorf("%s: class %d; expected %d", tt.name, p.Class, tt.class)
		}
		if drop.Packet(tt.frame, uint32(len(tt.frame)), &p); (p.Class == Malformed) != tt.dropped {
			t.Errorf("%s: class %d where malformed packets are dropped; expected that to be so: %v", tt.name, p.Class, tt.dropped)
		}
	}
}

// Both directions of a flow, and an ICMP error about it, have one key; all fragments of a datagram have one, too.
func TestKeyOfAFlow(t *testing.T) {
	of := func(l3 []byte) (p Packet) {
		f := frame(2, packet.EtherIPv4, l3...)
		(&Rules{}).Packet(f, uint32(len(f)), &p)
		return p
	}
	back := func(l3 []byte) []byte {
		l3 = append([]byte(nil), l3...)
		copy(l3[12:], []byte{10, 0, 0, 2, 10, 0, 0, 1})
		return l3
	}
	there := ip4(packet.ProtoUDP, 0, ports...)
	a, b := of(there), of(back(ip4(packet.ProtoUDP, 0, 0, 53, 0x03, 0xe8, 0, 8, 0, 0)))
	if a.Key != b.Key || a.Reverse == b.Reverse {
		t.Errorf("the directions of a flow: keys %v and %v, reverse %v and %v", a.Key, b.Key, a.Reverse, b.Reverse)
	}
	e := of(back(ip4(packet.ProtoICMP, 0, append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, there...)...)))
	if e.Key != a.Key || e.Reverse == a.Reverse {
		t.Errorf("an ICMP error about the flow: key %v, reverse %v; the flow's are %v and %v", e.Key, e.Reverse, a.Key, a.Reverse)
	}
	first, later := of(ip4(packet.ProtoUDP, 0x2000, ports...)), of(ip4(packet.ProtoUDP, 1, 9, 9, 9, 9, 9, 9, 9, 9))
	if first.Key != later.Key || first.Key == a.Key {
		t.Errorf("fragments: keys %v and %v", first.Key, later.Key)
	}
}

func TestChainOfAFlow(t *testing.T) {
	for want, c := range map[uint8]int{0: 0, 7: 7, NoChain: -1} {
		r := Rules{Choose: func([]byte, uint32) int { return c }}
		if got := r.Chain(nil, 0); got != want {
			t.Errorf("a chooser that says %d: chain %d; expected %d", c, got, want)
		}
	}
}

// Whatever the bytes are, a packet is judged only if there is a flow to judge it by, and only malformed ones are dropped as such.
func FuzzPacket(f *testing.F) {
	f.Add(frame(2, packet.EtherIPv4, ip4(packet.ProtoUDP, 0, ports...)...), uint32(60), true)
	f.Add(frame(2, packet.EtherIPv6, ip6(packet.ProtoICMPv6, 135, 0, 0, 0)...), uint32(1500), false)
	f.Add([]byte{1}, uint32(0), true)
	for _, tt := range layer2Frames {
		f.Add(tt.frame, uint32(len(tt.frame)), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, wire uint32, drop bool) {
		r := Rules{DropMalformed: drop, Layer2: everything}
		var p, q Packet
		wire &= 0xffff
		r.Packet(data, wire, &p)
		switch {
		case p.Class == Judged && p.Info.Kind == packet.NotIP:
			t.Error("judged, and no chain could have seen it")
		case p.Class == NotIP && p.Info.Kind != packet.NotIP:
			t.Error("an IP packet goes as if it were none")
		case (p.Class == Malformed) != (drop && p.Info.Problem != packet.OK):
			t.Errorf("problem %v, class %d, malformed packets dropped: %v", p.Info.Problem, p.Class, drop)
		}
		q.Key, q.Reverse = packet.Key{1, 2, 3, 4, 5, 6}, !p.Reverse // what was there before does not show
		r.Packet(data, wire, &q)
		if p.Class == Judged && q != p || q.Class != p.Class {
			t.Errorf("the same packet twice: %+v and %+v", p, q)
		}
	})
}

func TestPacketAllocatesNothing(t *testing.T) {
	f := frame(2, packet.EtherIPv4, ip4(packet.ProtoUDP, 0, ports...)...)
	r := Rules{Layer2: everything}
	var p Packet
	if n := testing.AllocsPerRun(100, func() { r.Packet(f, 60, &p) }); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}
