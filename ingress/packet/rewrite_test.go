package packet

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Whatever is rewritten, checksums that were right are right, and nothing else changed.
func TestRewriting(t *testing.T) {
	v4 := macs + "0800 45000028 00010000 40"
	rng := rand.New(rand.NewPCG(1, 1))
	for name, text := range map[string]string{
		"tcp4": v4 + "06 0000 " + a4 + b4 + tcp, "tcp6": macs + "86dd 60000000 0014 06 40 " + a6 + b6 + tcp,
		"udp4": macs + "0800 4500001e 00010000 4011 0000 " + a4 + b4 + "0035 1388 000a 0000 6869", "udp6": macs + "86dd 60000000 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000",
		"echo4": macs + "0800 4500001c 00010000 4001 0000 " + a4 + b4 + "0800 0000 0005 0006", "echo6": macs + "86dd 60000000 0008 3a 40 " + a6 + b6 + "8000 0000 0005 0006",
		"esp4": macs + "0800 45000018 00010000 4032 0000 " + a4 + b4 + "00000001",
	} {
		t.Run(name, func(t *testing.T) {
			for range 2000 {
				f := bytesOf(t, text)
				whole(f)
				before := append([]byte(nil), f...)
				var in Info
				Parse(f, len(f), &in)
				addr := make([]byte, len(in.Src(f)))
				for i := range addr {
					addr[i] = byte(rng.UintN(256))
				}
				port := uint16(rng.UintN(1 << 16))
				dst := rng.IntN(2) == 0
				if dst {
					in.SetDst(f, addr, port)
				} else {
					in.SetSrc(f, addr, port)
				}
				var after Info
				Parse(f, len(f), &after)
				if after != in {
					t.Fatalf("Info says\n%+v, the frame\n%+v", in, after)
				}
				if !after.CheckIPv4(f) || after.CheckL4(f) == Wrong {
					t.Fatalf("a checksum is wrong in %x", f)
				}
				got := after.Src(f)
				if dst {
					got = after.Dst(f)
				}
				if !bytes.Equal(got, addr) || after.HasPorts && dst && after.DstPort != port || after.HasPorts && !dst && after.SrcPort != port {
					t.Fatalf("%x %+v: want %x port %d", f, after, addr, port)
				}
				// Written back, it is what it was.
				Parse(before, len(before), &in)
				old, oldPort := in.Src(before), in.SrcPort
				if dst {
					old, oldPort = in.Dst(before), in.DstPort
				}
				if IsEcho(in.Proto, in.ICMPType) {
					oldPort = 5
				}
				if dst {
					after.SetDst(f, old, oldPort)
				} else {
					after.SetSrc(f, old, oldPort)
				}
				if !bytes.Equal(f, before) {
					t.Fatalf("written back:\n%x, was\n%x", f, before)
				}
			}
		})
	}
}

// whole sets the checksums of a frame.
func whole(f []byte) {
	var in Info
	Parse(f, len(f), &in)
	if in.Kind == IPv4 {
		IPv4Header(f[in.L3:]).SetChecksum()
	}
	h := f[in.L4:in.End]
	switch in.Proto {
	case ProtoTCP:
		TCPHeader(h).SetChecksum(in.Src(f), in.Dst(f))
	case ProtoUDP:
		UDPHeader(h).SetChecksum(in.Src(f), in.Dst(f))
	case ProtoICMP:
		ICMPHeader(h).SetChecksum()
	case ProtoICMPv6:
		ICMPHeader(h).SetChecksum6(in.Src(f), in.Dst(f))
	}
}

func TestUDPWithoutChecksumStaysWithout(t *testing.T) {
	f := bytesOf(t, macs+"0800 4500001c 00010000 4011 0000 "+a4+b4+"0035 1388 0008 0000")
	var in Info
	Parse(f, len(f), &in)
	in.SetSrc(f, []byte{9, 9, 9, 9}, 7)
	if f[40]|f[41] != 0 {
		t.Errorf("checksum %x%x, want none", f[40], f[41])
	}
}

func TestQuotations(t *testing.T) {
	for name, text := range map[string]string{
		"whole UDP":      macs + "0800 45000038 00010000 4001 0000 cb007101" + a4 + "0303 0000 00000000 4500001c 00010000 0111 0000 " + a4 + b4 + "0035 1388 0008 1234",
		"8 bytes of TCP": macs + "0800 45000038 00010000 4001 0000 cb007101" + a4 + "0303 0000 00000000 45000028 00010000 0106 0000 " + a4 + b4 + "c3b0 0050 00000007",
		"IPv6":           macs + "86dd 60000000 0038 3a 40 " + b6 + a6 + "0104 0000 00000000 60000000 0008 11 01 " + a6 + b6 + "0035 1388 0008 1234",
		"echo":           macs + "0800 45000038 00010000 4001 0000 cb007101" + a4 + "0303 0000 00000000 4500001c 00010000 0101 0000 " + a4 + b4 + "0800 1234 0005 0006",
	} {
		t.Run(name, func(t *testing.T) {
			for _, dst := range []bool{false, true} {
				f := bytesOf(t, text)
				whole(f)
				var in, q Info
				Parse(f, len(f), &in)
				if in.Kind == IPv4 {
					IPv4Header(f[42:]).SetChecksum()
					whole(f)
				}
				addr := bytes.Repeat([]byte{0xfe}, len(in.Src(f)))
				if !in.SetQuoted(f, dst, addr, 4242) {
					t.Fatal("refused")
				}
				if in.CheckL4(f) != Right || !in.CheckIPv4(f) {
					t.Error("a checksum of the error is wrong")
				}
				if !ParseQuoted(f, int(in.L4)+8, in.Kind, &q) || !q.CheckIPv4(f) {
					t.Fatalf("the quoted header is wrong: %x", f)
				}
				got, port := q.Src(f), q.SrcPort
				if dst {
					got, port = q.Dst(f), q.DstPort
				}
				if name == "echo" {
					port = ICMPHeader(f[q.L4:]).ID()
				}
				if !bytes.Equal(got, addr) || port != 4242 {
					t.Errorf("quoted %x port %d, want %x port 4242", got, port, addr)
				}
			}
		})
	}
	f := bytesOf(t, macs+"0800 4500001c 00010000 4001 0000 "+a4+b4+"0800 0000 0005 0006")
	var in Info
	Parse(f, len(f), &in)
	if in.SetQuoted(f, true, []byte{1, 2, 3, 4}, 5) {
		t.Error("an echo quotes nothing")
	}
}

func TestKeyOfIsKey(t *testing.T) {
	for _, text := range []string{
		macs + "0800 45000028 00010000 4006 0000 " + b4 + a4 + tcp, macs + "8100 0007 86dd 60000000 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000",
	} {
		f := bytesOf(t, text)
		var in Info
		var want Key
		Parse(f, len(f), &in)
		reverse := in.Key(f, &want)
		got, rev := KeyOf(&want, in.Src(f), in.Dst(f), in.SrcPort, in.DstPort, in.Proto)
		if got != want || rev != reverse {
			t.Errorf("got %x %v, want %x %v", got, rev, want, reverse)
		}
	}
}
