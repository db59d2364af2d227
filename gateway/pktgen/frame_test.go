package pktgen

import (
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// TestFrames has gopacket read what templates make: lengths, checksums, addresses, and the probe that comes back out.
func TestFrames(t *testing.T) {
	v6 := [2]netip.Addr{netip.MustParseAddr("2001:2::1"), netip.MustParseAddr("2001:2::2")}
	for _, c := range []Config{
		{},
		{VLAN: 100, Sizes: []Share{{68, 1}}},
		{Src: v6[0], Dst: v6[1]},
		{Src: v6[0], Dst: v6[1], VLAN: 7, Sizes: []Share{{88, 1}, {1518, 1}}},
		{Flows: 5, Sizes: IMIX},
	} {
		c = c.withDefaults()
		c.TX, c.RX = "a", "b"
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		h := heading{[]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2}, c.Src, c.Dst, c.VLAN}
		for i, tm := range templates(h, &c, false) {
			want := probe{run: 7, flow: uint32(i % c.Flows), sequence: 0xfffffff0, time: 0xabcdef012345}
			f := tm.stamp(want)
			got, ok := readProbe(payload(f))
			if !ok || got != want {
				t.Fatalf("%+v: probe %+v, %v", c, got, ok)
			}
			p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
			if e := p.ErrorLayer(); e != nil {
				t.Fatalf("%+v: %v", c, e.Error())
			}
			u := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
			if uint16(u.SrcPort) != c.SrcPort+uint16(i%c.Flows) || uint16(u.DstPort) != c.DstPort {
				t.Errorf("ports %d %d", u.SrcPort, u.DstPort)
			}
			network := p.NetworkLayer()
			if v4, ok := network.(*layers.IPv4); ok && naiveSum(v4.Contents) != 0xffff {
				t.Errorf("%+v: IPv4 header sums up to %#x", c, naiveSum(v4.Contents))
			}
			flow := network.NetworkFlow()
			pseudo := append(append([]byte{}, flow.Src().Raw()...), flow.Dst().Raw()...)
			pseudo = append(pseudo, 0, 17, byte(u.Length>>8), byte(u.Length))
			if sum := naiveSum(append(append(pseudo, u.Contents...), u.Payload...)); sum != 0xffff {
				t.Errorf("%+v: UDP sums up to %#x", c, sum)
			}
		}
	}
}

// naiveSum is RFC 1071 as it is written: 16 bits at a time, 0xffff where a checksum is right.
func naiveSum(b []byte) uint32 {
	var sum uint32
	for i, c := range b {
		sum += uint32(c) << (8 * (1 - i%2))
		sum = sum>>16 + sum&0xffff
	}
	return sum
}

func TestIMIXIsMixed(t *testing.T) {
	c := Config{Flows: 4, Sizes: IMIX}.withDefaults()
	ts := templates(heading{make([]byte, 6), make([]byte, 6), c.Src, c.Dst, 0}, &c, false)
	sum, combos := 0, map[[2]int]bool{}
	for i, tm := range ts {
		sum += len(tm.frame) + fcs
		combos[[2]int{i % c.Flows, len(tm.frame)}] = true
	}
	if len(ts) != 12 || sum/12 != 361 {
		t.Errorf("%d frames with %d bytes in all; expected a cycle of 12 with 361.8 on average", len(ts), sum)
	}
}
