package packet

import (
	"bytes"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/granule-nf/granule/corpus"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		macs + "0800 45000028 00010000 4006 0000 " + a4 + b4 + tcp,
		macs + "86dd 60000000 0010 2c 40 " + a6 + b6 + "1100 0001 00000009 0035 1388 0100 0000",
		macs + "8100 0001 86dd 60000000 0038 3a 40 " + a6 + b6 + "0300 0000 00000000 60000000 0008 11 01 " + a6 + b6 + "0035 1388 0008 0000",
		macs + "0800 46000020 00010000 4011 0000 " + a4 + b4 + "01010101 0035 1388 0008 0000",
	} {
		f.Add(bytesOf(f, text), 0)
		f.Add(bytesOf(f, text), 1500)
	}
	f.Fuzz(func(t *testing.T, frame []byte, more int) {
		judge(t, frame, len(frame)+max(0, min(more, 1<<20)))
		compare(t, frame)
	})
}

// compare holds Parse against gopacket's layers as a second opinion: where both find a header, they find the same one.
func compare(t testing.TB, frame []byte) {
	t.Helper()
	var in Info
	Parse(frame, len(frame), &in)
	if in.Problem != OK || in.Kind == NotIP {
		return
	}
	pkt := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	network := layers.LayerTypeIPv4
	if in.Kind == IPv6 {
		network = layers.LayerTypeIPv6
	}
	l := pkt.Layer(network)
	if l == nil {
		return // gopacket is stricter than we are
	}
	switch ip := l.(type) {
	case *layers.IPv4:
		if !bytes.Equal(ip.SrcIP, in.Src(frame)) || !bytes.Equal(ip.DstIP, in.Dst(frame)) || ip.TTL != in.TTL || ip.TOS != in.TOS || uint8(ip.Protocol) != in.Proto ||
			ip.FragOffset*8 != in.FragOff || (ip.Flags&layers.IPv4MoreFragments != 0) != in.MoreFrags {
			t.Fatalf("gopacket reads %+v, we read %+v", ip, in)
		}
	case *layers.IPv6:
		if !bytes.Equal(ip.SrcIP, in.Src(frame)) || !bytes.Equal(ip.DstIP, in.Dst(frame)) || ip.HopLimit != in.TTL || ip.TrafficClass != in.TOS {
			t.Fatalf("gopacket reads %+v, we read %+v", ip, in)
		}
	}
	if !in.HasL4 || in.Frag {
		return // gopacket reads no ports of fragments
	}
	// The transport layer that counts is the first behind the network layer, not one in a tunnel.
	all := pkt.Layers()
	for i, x := range all {
		if x != l || i+1 == len(all) {
			continue
		}
		switch h := all[i+1].(type) {
		case *layers.TCP:
			if in.Proto == ProtoTCP && (uint16(h.SrcPort) != in.SrcPort || uint16(h.DstPort) != in.DstPort || h.Contents[13] != in.TCPFlags || len(h.Contents) != int(in.Payload-in.L4)) {
				t.Fatalf("gopacket reads %+v, we read %+v", h, in)
			}
		case *layers.UDP:
			if in.Proto == ProtoUDP && (uint16(h.SrcPort) != in.SrcPort || uint16(h.DstPort) != in.DstPort) {
				t.Fatalf("gopacket reads %+v, we read %+v", h, in)
			}
		case *layers.ICMPv4:
			if in.Proto == ProtoICMP && (h.TypeCode.Type() != in.ICMPType || h.TypeCode.Code() != in.ICMPCode) {
				t.Fatalf("gopacket reads %+v, we read %+v", h, in)
			}
		case *layers.ICMPv6:
			if in.Proto == ProtoICMPv6 && (h.TypeCode.Type() != in.ICMPType || h.TypeCode.Code() != in.ICMPCode) {
				t.Fatalf("gopacket reads %+v, we read %+v", h, in)
			}
		}
		break
	}
}

func TestTrafficAgainstGopacket(t *testing.T) {
	dir := corpus.Folder(t, "traffic")
	n := 0
	for _, f := range manifest(t, dir) {
		for _, r := range records(t, dir+"/"+f.File) {
			if r.wire == len(r.frame) {
				compare(t, r.frame)
				n++
			}
		}
	}
	if n < 10_000 && corpus.HasLarger(t, "traffic") || n < 200 {
		t.Errorf("only %d whole packets compared", n)
	}
}
