package packet

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// slowSum is RFC 1071 as its text has it.
func slowSum(data []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(data[i])<<8 | uint32(data[i+1])
		sum = sum>>16 + sum&0xffff
	}
	if len(data)%2 == 1 {
		sum += uint32(data[len(data)-1]) << 8
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestSumAgainstRFC1071(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		for range 20 {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(rng.UintN(256)) | byte(rng.UintN(2)*255) // many 0xff: carries
			}
			if got, want := Fold(Sum(0, data)), ^slowSum(data); got != want {
				t.Fatalf("%x: %04x, want %04x", data, got, want)
			}
			cut := 0
			if n > 1 {
				cut = rng.IntN(n/2) * 2
			}
			if got, want := Fold(Sum(Sum(0, data[:cut]), data[cut:])), ^slowSum(data); got != want {
				t.Fatalf("%x in two parts: %04x, want %04x", data, got, want)
			}
		}
	}
	all := make([]byte, 1<<16)
	for i := range all {
		all[i] = 0xff
	}
	if got := Fold(Sum(^uint64(0), all)); got != 0 {
		t.Errorf("sum of ones = %04x, want 0", got)
	}
}

func TestUpdateIsRecomputing(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 20_000 {
		h := make([]byte, 40)
		for i := range h {
			h[i] = byte(rng.UintN(256))
		}
		h[10], h[11] = 0, 0
		check := Fold(Sum(0, h))
		if rng.IntN(2) == 0 {
			at := 12 + 2*rng.IntN(14)
			was, is := binary.BigEndian.Uint16(h[at:]), uint16(rng.UintN(1<<16))
			binary.BigEndian.PutUint16(h[at:], is)
			check = Update(check, was, is)
		} else {
			was := append([]byte(nil), h[12:28]...)
			for i := range 16 {
				h[12+i] = byte(rng.UintN(256))
			}
			check = UpdateBytes(check, was, h[12:28])
		}
		binary.BigEndian.PutUint16(h[10:], check)
		if slowSum(h) != 0xffff {
			t.Fatalf("the updated checksum %04x is wrong for %x", check, h)
		}
	}
	// The example of RFC 1624 section 4.
	if got := Update(0xdd2f, 0x5555, 0x3285); got != 0x0000 {
		t.Errorf("RFC 1624's example gives %04x, want 0000", got)
	}
}

func TestHeaders(t *testing.T) {
	src4, dst4 := []byte{192, 0, 2, 1}, []byte{198, 51, 100, 2}
	src6, dst6 := bytesOf(t, a6), bytesOf(t, b6)
	eth := bytesOf(t, macs+"0800")
	for name, make := range map[string]func() []byte{
		"tcp4": func() []byte {
			f := append(eth, make([]byte, 45)...)
			copy(f[54:], "hello")
			IPv4Header(f[14:]).Init(45, ProtoTCP, src4, dst4)
			h := TCPHeader(f[34:])
			h.Init(1000, 80, 7, 9, SYN|ACK, 512)
			h.SetChecksum(src4, dst4)
			if h.SrcPort() != 1000 || h.DstPort() != 80 || h.Seq() != 7 || h.Ack() != 9 || h.Len() != 20 || h.Flags() != SYN|ACK || h.Window() != 512 || h.Urgent() != 0 || len(h.Options()) != 0 || h.Checksum() == 0 {
				t.Errorf("TCP header reads back as %x", []byte(h))
			}
			ip := IPv4Header(f[14:])
			ip.SetTTL(3)
			ip.SetTotalLen(44)
			ip.SetTotalLen(45)
			if ip.Len() != 20 || ip.TotalLen() != 45 || ip.ID() != 0 || ip.FlagsOffset() != DontFragment || ip[8] != 3 {
				t.Errorf("IPv4 header reads back as %x", []byte(ip))
			}
			return f
		},
		"udp4": func() []byte {
			f := append(eth, make([]byte, 33)...)
			copy(f[42:], "hello")
			IPv4Header(f[14:]).Init(33, ProtoUDP, src4, dst4)
			h := UDPHeader(f[34:])
			h.Init(53, 5000, 13)
			h.SetChecksum(src4, dst4)
			if h.SrcPort() != 53 || h.DstPort() != 5000 || h.Length() != 13 || h.Checksum() == 0 {
				t.Errorf("UDP header reads back as %x", []byte(h))
			}
			return f
		},
		"icmp4": func() []byte {
			f := append(eth, make([]byte, 28)...)
			IPv4Header(f[14:]).Init(28, ProtoICMP, src4, dst4)
			h := ICMPHeader(f[34:])
			h.Init(8, 0, 5<<16|6)
			h.SetChecksum()
			if h.Type() != 8 || h.Code() != 0 || h.ID() != 5 || h.Seq() != 6 || h.Checksum() == 0 || !IsEcho(ProtoICMP, h.Type()) || IsICMPError(ProtoICMP, h.Type()) {
				t.Errorf("ICMP header reads back as %x", []byte(h))
			}
			return f
		},
		"icmp6": func() []byte {
			f := append(bytesOf(t, macs+"86dd"), make([]byte, 49)...)
			ip := IPv6Header(f[14:])
			ip.Init(9, ProtoICMPv6, src6, dst6)
			h := ICMPHeader(f[54:])
			h.Init(3, 1, 0)
			h.SetChecksum6(src6, dst6)
			if ip.PayloadLen() != 9 || ip.FlowLabel() != 0 || ip.NextHeader() != ProtoICMPv6 || ip.HopLimit() != 64 || !IsICMPError(ProtoICMPv6, h.Type()) {
				t.Errorf("IPv6 header reads back as %x", []byte(ip))
			}
			return f
		},
		"tcp6": func() []byte {
			f := append(bytesOf(t, macs+"86dd"), make([]byte, 60)...)
			IPv6Header(f[14:]).Init(20, ProtoTCP, src6, dst6)
			h := TCPHeader(f[54:])
			h.Init(1, 2, 3, 4, RST, 0)
			h.SetChecksum(src6, dst6)
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := make()
			var in Info
			Parse(f, len(f), &in)
			if in.Problem != OK || !in.CheckIPv4(f) || in.CheckL4(f) != Right {
				t.Fatalf("problem %v, IPv4 checksum right %v, transport checksum %d", in.Problem, in.CheckIPv4(f), in.CheckL4(f))
			}
			at := int(in.L4) + ChecksumAt(in.Proto)
			f[at] ^= 1
			if in.CheckL4(f) != Wrong {
				t.Error("a wrong transport checksum is not seen")
			}
			f[at] ^= 1
			if in.CheckL4(f[:len(f)-1]) != Unchecked {
				t.Error("a checksum was verified over bytes that were not carried")
			}
			if in.Kind == IPv4 {
				f[15] ^= 1
				if in.CheckIPv4(f) {
					t.Error("a wrong IPv4 checksum is not seen")
				}
			}
		})
	}
}

func TestUDPWithoutChecksum(t *testing.T) {
	for _, tt := range []struct {
		frame string
		want  Checked
	}{
		{macs + "0800 4500001c 00010000 4011 0000 " + a4 + b4 + "0035 1388 0008 0000", Unchecked},
		{macs + "86dd 60000000 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000", Wrong},
		{macs + "0800 4500001c 00012000 4011 0000 " + a4 + b4 + "0035 1388 0008 1234", Unchecked},
		{macs + "0800 45000018 00010000 4032 0000 " + a4 + b4 + "00000001", Unchecked},
		{macs + "0806 0001", Unchecked},
	} {
		f := bytesOf(t, tt.frame)
		var in Info
		Parse(f, len(f), &in)
		if got := in.CheckL4(f); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.frame, got, tt.want)
		}
	}
}

func TestUDPSumOfZeroIsSentAsOnes(t *testing.T) {
	src, dst := []byte{0, 0, 0, 0}, []byte{0, 0, 0, 0}
	h := UDPHeader(make([]byte, 10))
	h.Init(0, 0, 10)
	h.SetChecksum(src, dst)
	binary.BigEndian.PutUint16(h[8:], h.Checksum()) // now the sum is all ones
	h.SetChecksum(src, dst)
	if h.Checksum() != 0xffff {
		t.Errorf("checksum %04x, want ffff", h.Checksum())
	}
}
