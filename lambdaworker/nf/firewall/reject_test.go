package firewall

import (
	"bytes"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// answerTo runs one packet through one rule and returns what its sender is told.
func answerTo(t *testing.T, rule string, p nftest.P) (v nf.Verdict, answer []byte) {
	t.Helper()
	b := build(t, "{rules: r}", map[string]string{"r": inChain(rule)})
	r := nftest.Run(b.Pipeline, nftest.Packets(p), 1)
	if r.Panics > 0 {
		t.Fatal("panic")
	}
	o := r.Packets[0]
	if len(o.Injected) > 1 {
		t.Fatalf("%d answers", len(o.Injected))
	}
	if len(o.Injected) == 1 {
		if o.Injected[0].To != p.FromSide {
			t.Errorf("the answer leaves on side %d; the packet came from %d", o.Injected[0].To, p.FromSide)
		}
		answer = o.Injected[0].Data
	}
	return o.Verdict, answer
}

func TestReset(t *testing.T) {
	syn := nftest.TCP("10.0.0.1:1000", "192.0.2.1:80", "S", "").Numbers(41, 0)
	v, a := answerTo(t, "reject with tcp reset", syn)
	if v != nf.DropReject {
		t.Fatalf("%v", v)
	}
	ip, tcp := checkedTCP(t, a)
	if !tcp.RST || !tcp.ACK || tcp.Ack != 42 || tcp.Seq != 0 || tcp.SrcPort != 80 || tcp.DstPort != 1000 {
		t.Errorf("a SYN is answered by %+v", tcp)
	}
	if ip.NetworkFlow().String() != "192.0.2.1->10.0.0.1" {
		t.Errorf("the answer goes %v", ip.NetworkFlow())
	}
	data := nftest.TCP("[2001:db8::1]:1000", "[2001:db8::2]:80", "PA", "hello").Numbers(41, 77).VLAN(5).Outside()
	_, a = answerTo(t, "reject with tcp reset", data)
	_, tcp = checkedTCP(t, a)
	if !tcp.RST || tcp.ACK || tcp.Seq != 77 {
		t.Errorf("a segment with an ACK is answered by %+v", tcp)
	}
	if a[12] != 0x81 || a[15] != 5 {
		t.Errorf("the VLAN tag is lost: % x", a[:18])
	}
	if _, a = answerTo(t, "reject with tcp reset", nftest.TCP("10.0.0.1:1", "192.0.2.1:80", "R", "")); a != nil {
		t.Error("a RST is answered")
	}
	if v, _ = answerTo(t, "reject with tcp reset", nftest.UDP("10.0.0.1:1", "192.0.2.1:80", "")); v != nf.Pass {
		t.Errorf("a reject with tcp reset is met by UDP: %v", v)
	}
}

// checkedTCP decodes an answer and verifies its checksums by making them again.
func checkedTCP(t *testing.T, frame []byte) (gopacket.NetworkLayer, *layers.TCP) {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if p.ErrorLayer() != nil {
		t.Fatalf("% x: %v", frame, p.ErrorLayer().Error())
	}
	tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !ok {
		t.Fatalf("% x is no TCP", frame)
	}
	remade(t, p, frame)
	return p.NetworkLayer(), tcp
}

// remade builds the packet again from its layers, checksums and lengths computed, and expects the same bytes.
func remade(t *testing.T, p gopacket.Packet, frame []byte) {
	t.Helper()
	var all []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		if tcp, ok := l.(*layers.TCP); ok {
			if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
		}
		if s, ok := l.(gopacket.SerializableLayer); ok {
			all = append(all, s)
		}
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	// gopacket pads to the shortest Ethernet frame.
	if made := b.Bytes(); len(made) < len(frame) || !bytes.Equal(made[:len(frame)], frame) {
		t.Errorf("made again it differs:\n% x\n% x", made, frame)
	}
}

func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		rule      string
		p         nftest.P
		typ, code uint8
	}{
		{"reject", nftest.UDP("10.0.0.1:1", "192.0.2.1:53", "query"), 3, 3},
		{"reject", nftest.TCP("10.0.0.1:1", "192.0.2.1:53", "S", ""), 3, 3},
		{"reject", nftest.UDP("[2001:db8::1]:1", "[2001:db8::2]:53", "query"), 1, 4},
		{"reject with icmp net-unreachable", nftest.UDP("10.0.0.1:1", "192.0.2.1:53", "query"), 3, 0},
		{"reject with icmp type host-prohibited", nftest.Echo("10.0.0.1", "192.0.2.1", 1, 1), 3, 10},
		{"reject with icmpv6 policy-fail", nftest.UDP("[2001:db8::1]:1", "[2001:db8::2]:53", "query"), 1, 5},
		{"reject with icmpx admin-prohibited", nftest.UDP("10.0.0.1:1", "192.0.2.1:53", "query"), 3, 13},
		{"reject with icmpx no-route", nftest.UDP("[2001:db8::1]:1", "[2001:db8::2]:53", "query"), 1, 0},
		{"reject", nftest.UDP("10.0.0.1:1", "192.0.2.1:53", "query").Fragment(0, true), 3, 3},
		{"reject", nftest.UDP("10.0.0.1:1", "192.0.2.1:53", string(make([]byte, 1400))), 3, 3},
		{"reject", nftest.UDP("[2001:db8::1]:1", "[2001:db8::2]:53", string(make([]byte, 1400))), 1, 4},
	} {
		v, a := answerTo(t, c.rule, c.p)
		if v != nf.DropReject || a == nil {
			t.Errorf("%s: %v, answer % x", c.rule, v, a)
			continue
		}
		var in, q packet.Info
		packet.Parse(a, len(a), &in)
		if in.Problem != packet.OK || in.ICMPType != c.typ || in.ICMPCode != c.code || int(in.End) != len(a) {
			t.Errorf("%s: %+v", c.rule, in)
		}
		was := c.p.Frame()
		if !packet.ParseQuoted(a, int(in.L4)+8, in.Kind, &q) || !bytes.Equal(a[in.L4+8:], was[14:14+len(a)-int(in.L4)-8]) {
			t.Errorf("%s: it quotes % x of % x", c.rule, a[in.L4+8:], was)
		}
		limit := map[packet.Kind]int{packet.IPv4: 576, packet.IPv6: 1280}[in.Kind]
		if len(a)-14 > limit || len(was) > len(a) && len(a)-14 != limit && len(was)-14 > limit-48 {
			t.Errorf("%s: an error of %d bytes, at most %d", c.rule, len(a)-14, limit)
		}
		if in.Kind == packet.IPv4 && fold(sum(0, a[in.L3:in.L4])) != 0xffff || fold(icmpSum(&in, a)) != 0xffff {
			t.Errorf("%s: a wrong checksum", c.rule)
		}
	}
}

func icmpSum(in *packet.Info, a []byte) uint32 {
	s := sum(0, a[in.L4:])
	if in.Kind == packet.IPv6 {
		s = sum(sum(s, in.Src(a)), in.Dst(a)) + packet.ProtoICMPv6 + uint32(len(a)-int(in.L4))
	}
	return s
}

// No error is sent about errors, later fragments, multicast (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
func TestNoAnswer(t *testing.T) {
	quoted := nftest.UDP("192.0.2.1:53", "10.0.0.1:1", "x").Frame()
	for name, p := range map[string]nftest.P{
		"error":           nftest.Unreachable("10.0.0.1", "192.0.2.1", quoted),
		"later fragment":  nftest.UDP("10.0.0.1:1", "192.0.2.1:53", "12345678").Fragment(8, false),
		"to multicast":    nftest.UDP("10.0.0.1:1", "224.0.0.9:53", ""),
		"from multicast":  nftest.UDP("224.0.0.9:1", "192.0.2.1:53", ""),
		"from nowhere":    nftest.UDP("0.0.0.0:1", "192.0.2.1:53", ""),
		"to multicast v6": nftest.UDP("[2001:db8::1]:1", "[ff02::9]:53", ""),
	} {
		if v, a := answerTo(t, "reject", p); v != nf.DropReject || a != nil {
			t.Errorf("%s: %v, answered by % x", name, v, a)
		}
	}
}
