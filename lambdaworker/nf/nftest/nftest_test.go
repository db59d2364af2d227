package nftest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// The packets that the kit makes are whole: right lengths, right checksums, and what was asked for is in them.
func TestPackets(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    nftest.P
		want packet.Info
	}{
		{"TCP", nftest.TCP("10.0.0.1:80", "10.0.0.2:81", "SA", "hi"),
			packet.Info{Kind: packet.IPv4, Proto: 6, TTL: 64, TCPFlags: packet.SYN | packet.ACK, HasL4: true, HasPorts: true, SrcPort: 80, DstPort: 81, L4: 34, Payload: 54, IPLen: 42}},
		{"UDP over IPv6 in a VLAN", nftest.UDP("[2001:db8::1]:53", "[2001:db8::2]:54", "hi").VLAN(7),
			packet.Info{Kind: packet.IPv6, Proto: 17, TTL: 64, HasL4: true, HasPorts: true, SrcPort: 53, DstPort: 54, VLANs: 1, VLAN: [2]uint16{7}, L3: 18, L4: 58, Payload: 66, IPLen: 50}},
		{"echo", nftest.Echo("10.0.0.1", "10.0.0.2", 1, 2), packet.Info{Kind: packet.IPv4, Proto: 1, TTL: 64, HasL4: true, ICMPType: 8, L4: 34, Payload: 42, IPLen: 36}},
		{"echo reply over IPv6", nftest.EchoReply("2001:db8::1", "2001:db8::2", 1, 2), packet.Info{Kind: packet.IPv6, Proto: 58, TTL: 64, HasL4: true, ICMPType: 129, L4: 54, Payload: 62, IPLen: 56}},
		{"error", nftest.Unreachable("10.0.0.9", "10.0.0.1", nftest.UDP("10.0.0.1:53", "10.0.0.2:54", "query").Frame()),
			packet.Info{Kind: packet.IPv4, Proto: 1, TTL: 64, HasL4: true, ICMPType: 3, ICMPCode: 3, L4: 34, Payload: 42, IPLen: 56}},
		{"first fragment", nftest.UDP("10.0.0.1:53", "10.0.0.2:54", "12345678").Fragment(0, true),
			packet.Info{Kind: packet.IPv4, Proto: 17, TTL: 64, HasL4: true, HasPorts: true, SrcPort: 53, DstPort: 54, Frag: true, FirstFrag: true, MoreFrags: true, L4: 34, Payload: 42, IPLen: 36}},
		{"last fragment over IPv6", nftest.UDP("[2001:db8::1]:53", "[2001:db8::2]:54", "12345678").Fragment(16, false),
			packet.Info{Kind: packet.IPv6, Proto: 17, TTL: 64, Frag: true, FragOff: 16, L4: 62, Payload: 62, IPLen: 56}},
		{"SCTP", nftest.P{Src: "10.0.0.1:1", Dst: "10.0.0.2:2", Proto: packet.ProtoSCTP}, packet.Info{Kind: packet.IPv4, Proto: 132, TTL: 64, HasL4: true, HasPorts: true, SrcPort: 1, DstPort: 2, L4: 34, Payload: 46, IPLen: 32}},
		{"GRE with TTL and TOS", nftest.P{Src: "10.0.0.1", Dst: "10.0.0.2", Proto: packet.ProtoGRE, TTL: 3, TOS: 0xb8, Payload: []byte("abcd")}, packet.Info{Kind: packet.IPv4, Proto: 47, TTL: 3, TOS: 0xb8, L4: 34, Payload: 34, IPLen: 24}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.p.Frame()
			var got packet.Info
			packet.Parse(f, len(f), &got)
			want := tt.want
			want.End, want.EtherType = uint32(len(f)), packet.EtherIPv4
			if want.Kind == packet.IPv6 {
				want.EtherType = packet.EtherIPv6
			}
			if want.L3 == 0 {
				want.L3 = 14
			}
			g, w := reflect.ValueOf(got), reflect.ValueOf(want)
			for i := range g.NumField() {
				if f := g.Type().Field(i); f.IsExported() && !g.Field(i).Equal(w.Field(i)) {
					t.Errorf("%s: got %v, want %v", f.Name, g.Field(i), w.Field(i))
				}
			}
			if !got.CheckIPv4(f) || got.CheckL4(f) == packet.Wrong {
				t.Error("a checksum is wrong")
			}
		})
	}
	bad := nftest.TCP("10.0.0.1:80", "10.0.0.2:81", "S", "")
	bad.BadChecksum, bad.CarriedBytes = true, 50
	k := bad.Packet()
	var in packet.Info
	packet.Parse(k.Data, int(k.Wire), &in)
	if len(k.Data) != 50 || k.Wire != 54 {
		t.Errorf("%d bytes carried of %d, want 50 of 54", len(k.Data), k.Wire)
	}
}

func TestConnectionIsOne(t *testing.T) {
	capture := nftest.Packets(nftest.Connection("10.0.0.1:999", "192.0.2.1:80", "GET", "200 OK", "bye")...)
	next := map[nf.Side]uint32{}
	for i, k := range capture {
		var in packet.Info
		packet.Parse(k.Data, int(k.Wire), &in)
		h := packet.TCPHeader(k.Data[in.L4:])
		if want, ok := next[k.From]; ok && h.Seq() != want {
			t.Errorf("packet %d has sequence number %d, want %d", i+1, h.Seq(), want)
		}
		if in.TCPFlags&packet.ACK != 0 && h.Ack() != next[k.From^1] {
			t.Errorf("packet %d acknowledges %d, want %d", i+1, h.Ack(), next[k.From^1])
		}
		next[k.From] = h.Seq() + uint32(in.PayloadLen())
		if in.TCPFlags&(packet.SYN|packet.FIN) != 0 {
			next[k.From]++
		}
		if i > 0 && k.Time <= capture[i-1].Time {
			t.Errorf("packet %d comes before the one before it", i+1)
		}
	}
}

func manyFlows() []nftest.Packet {
	var ps []nftest.P
	for i := range 600 {
		p := nftest.UDP(fmt.Sprintf("10.0.0.%d:1000", 1+i%37), "192.0.2.1:53", "query")
		if i%3 == 2 {
			p = nftest.UDP("192.0.2.1:53", fmt.Sprintf("10.0.0.%d:1000", 1+i%37), "answer").Outside()
		}
		ps = append(ps, p.At(time.Duration(i)*time.Millisecond))
	}
	return nftest.Packets(ps...)
}

func TestTheExample(t *testing.T) {
	stage := nftest.Stage{NFs: []string{"firstpackets: {limit: 2}"}}
	p := nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "query")
	got := nftest.Run(stage.Build(t), nftest.Packets(p, p, p, p), 3)
	if v := got.Verdicts(); v != "pass pass rate_limit rate_limit" || got.Count(0, "dropped") != 2 {
		t.Errorf("verdicts %s, %d dropped; want two to pass", v, got.Count(0, "dropped"))
	}
	nftest.HandOff(t, nftest.Stage{NFs: []string{"firstpackets", "firstpackets: {limit: 7}"}}, manyFlows())
	nftest.ZeroAlloc(t, stage, manyFlows())
	nftest.Malformed(t, stage)
	_, err := nftest.Stage{NFs: []string{"firstpackets", "firstpackets: {limit: 0}"}}.TryBuild()
	if err == nil || !strings.Contains(err.Error(), "granule.yaml:2:23: limit is 0") {
		t.Errorf("error %v; want one at granule.yaml:2:23", err)
	}
}
