package packet

import (
	"path/filepath"
	"testing"

	"github.com/granule-nf/granule/corpus"
)

// What tshark counted in captures of real applications.
func TestTraffic(t *testing.T) {
	dir := corpus.Folder(t, "traffic")
	for _, want := range manifest(t, dir) {
		t.Run(want.File, func(t *testing.T) {
			got := manifestFile{File: want.File}
			tcp, udp := map[Key]int{}, map[Key]int{}
			for _, r := range records(t, filepath.Join(dir, want.File)) {
				got.Packets++
				var in Info
				Parse(r.frame, r.wire, &in)
				if in.VLANs > 0 {
					got.VLAN++
				}
				switch in.Kind {
				case NotIP:
					got.Other++
					continue
				case IPv4:
					got.IPv4++
					if in.Frag {
						got.Frags4++
					}
				case IPv6:
					got.IPv6++
					if in.Frag {
						got.Frags6++
					}
				}
				if !in.HasPorts {
					continue
				}
				in.Frag = false // the manifest counts a first fragment to the flow of its ports
				var k Key
				in.key(r.frame, &k)
				switch in.Proto {
				case ProtoTCP:
					tcp[k]++
					got.TCPPackets++
				case ProtoUDP:
					udp[k]++
					got.UDPPackets++
				}
			}
			got.TCPFlows, got.UDPFlows = len(tcp), len(udp)
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// Captures that once misled a parser: nothing is read outside the carried bytes (a frame's capacity is its length),
// every offset makes sense, and every cut of a packet is one too.
func TestMalformed(t *testing.T) {
	dir := corpus.Folder(t, "malformed")
	problems := map[Problem]int{}
	for _, f := range manifest(t, dir) {
		all := records(t, filepath.Join(dir, f.File))
		if len(all) != f.Packets {
			t.Errorf("%s: %d packets read, %d are there", f.File, len(all), f.Packets)
		}
		for _, r := range all {
			problems[judge(t, r.frame, r.wire).Problem]++
			for cut := range min(len(r.frame), 200) {
				judge(t, r.frame[:cut:cut], r.wire)
				judge(t, r.frame[:cut:cut], cut)
			}
		}
	}
	if len(problems) < 6 {
		t.Errorf("only these problems were met: %v", problems)
	}
}

// judge parses a frame and checks what must hold whatever it is made of.
func judge(t testing.TB, frame []byte, wire int) *Info {
	t.Helper()
	frame = frame[:len(frame):len(frame)]
	var in Info
	Parse(frame, wire, &in)
	if in.Problem >= NumProblems || in.VLANs > 2 {
		t.Fatalf("impossible: %+v", in)
	}
	if in.HasL4 && (in.L4 == 0 || int(in.L4) >= len(frame) || in.Problem != OK) || in.End > uint32(max(wire, len(frame))) {
		t.Fatalf("offsets outside the packet: %+v of %d bytes", in, len(frame))
	}
	if in.FirstFrag && (!in.Frag || in.FragOff != 0) || in.HasPorts && in.FragOff != 0 {
		t.Fatalf("fragment bits contradict each other: %+v", in)
	}
	_ = in.Bytes(frame)
	if p := in.PayloadLen(); p < 0 || p < len(in.Bytes(frame)) {
		t.Fatalf("payload of %d bytes, %d carried", p, len(in.Bytes(frame)))
	}
	if in.Kind == NotIP {
		return &in
	}
	var k Key
	in.Key(frame, &k)
	in.CheckIPv4(frame)
	in.CheckL4(frame)
	if in.HasL4 {
		var q Info
		ParseQuoted(frame, int(in.L4)+8, in.Kind, &q)
	}
	return &in
}
