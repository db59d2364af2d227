package packet

import (
	"encoding/hex"
	"strings"
	"testing"
)

const (
	macs = "020000000002 020000000001 "
	a4   = "c0000201"
	b4   = "c6336402"
	a6   = "20010db8000000000000000000000001"
	b6   = "20010db8000000000000000000000002"
	tcp  = "c3b00050 00000007 00000009 5012 2000 0000 0000 "
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name  string
		frame string
		wire  int // 0: as long as frame
		want  Info
	}{
		{"nothing", "", 0, Info{Problem: ShortEthernet}},
		{"half an Ethernet header", "020000000002", 0, Info{Problem: ShortEthernet, End: 6}},
		{"ARP", macs + "0806 0001", 0, Info{EtherType: EtherARP, L3: 14, Payload: 14, End: 16}},
		{"VLAN tag cut short", macs + "8100 00", 0, Info{Problem: ShortEthernet, EtherType: EtherVLAN, L3: 14, Payload: 14, End: 15}},
		{"TCP", macs + "0800 45000028 00010000 4006 0000 " + a4 + b4 + tcp, 0,
			Info{Kind: IPv4, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 54, SrcPort: 50096, DstPort: 80, End: 54, IPLen: 40}},
		{"TCP, payload not carried", macs + "0800 45b805dc 00010000 4006 0000 " + a4 + b4 + tcp, 1514,
			Info{Kind: IPv4, Proto: 6, TTL: 64, TOS: 0xb8, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 54, SrcPort: 50096, DstPort: 80, End: 1514, IPLen: 1500}},
		{"TCP with options, padded frame", macs + "0800 4500002c 00010000 4006 0000 " + a4 + b4 + "c3b00050 00000007 00000009 6002 2000 0000 0000 020405b4 0000", 0,
			Info{Kind: IPv4, Proto: 6, TTL: 64, TCPFlags: SYN, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 58, SrcPort: 50096, DstPort: 80, End: 58, IPLen: 44}},
		{"two VLAN tags, IPv4 options, UDP", macs + "88a8 2064 8100 00c8 0800 46000020 00010000 4011 0000 " + a4 + b4 + "01010101 0035 1388 0008 0000", 0,
			Info{Kind: IPv4, VLANs: 2, VLAN: [2]uint16{0x2064, 0xc8}, Proto: 17, TTL: 64, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 22, L4: 46, Payload: 54, SrcPort: 53, DstPort: 5000, End: 54, IPLen: 32}},
		{"a third VLAN tag", macs + "8100 0001 8100 0002 8100 0003 0800 45000028 00010000 4006 0000 " + a4 + b4 + tcp, 0,
			Info{Kind: IPv4, VLANs: 3, VLAN: [2]uint16{1, 2}, Stack: 2027755391, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 26, L4: 46, Payload: 66, SrcPort: 50096, DstPort: 80, End: 66, IPLen: 40}},
		{"MPLS of two labels", macs + "8847 00010040 00011140 45000028 00010000 4006 0000 " + a4 + b4 + tcp, 0,
			Info{Kind: IPv4, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 22, L4: 42, Payload: 62, SrcPort: 50096, DstPort: 80, End: 62, IPLen: 40}},
		{"MPLS pseudowire", macs + "8847 00011140 00000000 020000000002 020000000001 0800 45000028 00010000 4006 0000 " + a4 + b4 + tcp, 0,
			Info{Kind: IPv4, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 36, L4: 56, Payload: 76, SrcPort: 50096, DstPort: 80, End: 76, IPLen: 40}},
		{"PPPoE", macs + "8864 1100 0001 002a 0021 45000028 00010000 4006 0000 " + a4 + b4 + tcp, 0,
			Info{Kind: IPv4, Stack: 3055460189, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 22, L4: 42, Payload: 62, SrcPort: 50096, DstPort: 80, End: 62, IPLen: 40}},
		{"LLC and SNAP", macs + "0030 aaaa03 000000 0800 45000028 00010000 4006 0000 " + a4 + b4 + tcp, 0,
			Info{Kind: IPv4, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 22, L4: 42, Payload: 62, SrcPort: 50096, DstPort: 80, End: 62, IPLen: 40}},
		{"MPLS of what is no IP", macs + "8847 00011140 50", 0, Info{EtherType: EtherMPLS, L3: 14, Payload: 14, End: 19}},
		{"PPPoE discovery", macs + "8863 1109 0000 0000", 0, Info{EtherType: 0x8863, L3: 14, Payload: 14, End: 20}},
		{"a link control packet within PPPoE", macs + "8864 1100 0001 0008 c021 0900", 0, Info{EtherType: EtherPPPoESession, L3: 14, Payload: 14, End: 24}},
		{"UDP shorter than its datagram", macs + "0800 45000020 00010000 4011 0000 " + a4 + b4 + "0035 1388 0009 0000 aabbccdd", 0,
			Info{Kind: IPv4, Proto: 17, TTL: 64, HasL4: true, HasPorts: true, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 42, SrcPort: 53, DstPort: 5000, End: 43, IPLen: 32}},
		{"UDP longer than its datagram", macs + "0800 4500001c 00010000 4011 0000 " + a4 + b4 + "0035 1388 0009 0000", 0,
			Info{Kind: IPv4, Problem: BadTransportLen, Proto: 17, TTL: 64, HasPorts: true, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, SrcPort: 53, DstPort: 5000, End: 42, IPLen: 28}},
		{"ICMP echo", macs + "0800 4500001c 00010000 4001 0000 " + a4 + b4 + "0800 0000 0005 0006", 0,
			Info{Kind: IPv4, Proto: 1, TTL: 64, ICMPType: 8, HasL4: true, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 42, End: 42, IPLen: 28}},
		{"SCTP", macs + "0800 45000020 00010000 4084 0000 " + a4 + b4 + "0001 0002 00000000 00000000", 0,
			Info{Kind: IPv4, Proto: 132, TTL: 64, HasL4: true, HasPorts: true, SrcPort: 1, DstPort: 2, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 46, End: 46, IPLen: 32}},
		{"ESP", macs + "0800 45000018 00010000 4032 0000 " + a4 + b4 + "00000001", 0,
			Info{Kind: IPv4, Proto: 50, TTL: 64, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 38, IPLen: 24}},
		{"first fragment", macs + "0800 4500001c 00012000 4011 0000 " + a4 + b4 + "0035 1388 0100 0000", 0,
			Info{Kind: IPv4, Proto: 17, TTL: 64, Frag: true, FirstFrag: true, MoreFrags: true, HasL4: true, HasPorts: true, SrcPort: 53, DstPort: 5000, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 42, End: 42, IPLen: 28}},
		{"later fragment", macs + "0800 4500001c 00010003 4011 0000 " + a4 + b4 + "0035 1388 0100 0000", 0,
			Info{Kind: IPv4, Proto: 17, TTL: 64, Frag: true, FragOff: 24, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 42, IPLen: 28}},
		{"TCP cut behind its ports", macs + "0800 45000018 00010000 4006 0000 " + a4 + b4 + "c3b0 0050", 0,
			Info{Kind: IPv4, Problem: ShortTransport, Proto: 6, TTL: 64, HasPorts: true, SrcPort: 50096, DstPort: 80, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 38, IPLen: 24}},
		{"TCP without whole ports", macs + "0800 45000017 00010000 4006 0000 " + a4 + b4 + "c3b0 00", 0,
			Info{Kind: IPv4, Problem: ShortTransport, Proto: 6, TTL: 64, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 37, IPLen: 23}},
		{"TCP data offset of 4", macs + "0800 45000028 00010000 4006 0000 " + a4 + b4 + "c3b00050 00000007 00000009 4012 2000 0000 0000", 0,
			Info{Kind: IPv4, Problem: BadTransportLen, Proto: 6, TTL: 64, HasPorts: true, SrcPort: 50096, DstPort: 80, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 54, IPLen: 40}},
		{"ICMP of three bytes", macs + "0800 45000017 00010000 4001 0000 " + a4 + b4 + "080000", 0,
			Info{Kind: IPv4, Problem: ShortTransport, Proto: 1, TTL: 64, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 37, IPLen: 23}},
		{"IPv4 cut short", macs + "0800 45000028 0001", 0, Info{Problem: ShortIP, EtherType: EtherIPv4, L3: 14, Payload: 14, End: 20}},
		{"IPv4 says version 6", macs + "0800 65000014 00010000 4006 0000 " + a4 + b4, 0, Info{Problem: BadIPVersion, EtherType: EtherIPv4, L3: 14, Payload: 14, End: 34}},
		{"IPv4 header of 16 bytes", macs + "0800 44000014 00010000 4006 0000 " + a4 + b4, 0,
			Info{Kind: IPv4, Problem: BadIPHeaderLen, Proto: 6, TTL: 64, EtherType: EtherIPv4, L3: 14, Payload: 34, End: 34, IPLen: 20}},
		{"IPv4 header past the frame", macs + "0800 4f000014 00010000 4006 0000 " + a4 + b4, 0,
			Info{Kind: IPv4, Problem: BadIPHeaderLen, Proto: 6, TTL: 64, EtherType: EtherIPv4, L3: 14, Payload: 34, End: 34, IPLen: 20}},
		{"IPv4 longer than the frame", macs + "0800 45000015 00010000 4006 0000 " + a4 + b4, 0,
			Info{Kind: IPv4, Problem: BadIPLength, Proto: 6, TTL: 64, EtherType: EtherIPv4, L3: 14, Payload: 34, End: 34, IPLen: 21}},
		{"IPv4 shorter than its header", macs + "0800 45000013 00010000 4006 0000 " + a4 + b4, 0,
			Info{Kind: IPv4, Problem: BadIPLength, Proto: 6, TTL: 64, EtherType: EtherIPv4, L3: 14, Payload: 34, End: 34, IPLen: 19}},
		{"record claims less than it holds", macs + "0800 45000014 00010000 4032 0000 " + a4 + b4, 20,
			Info{Kind: IPv4, Proto: 50, TTL: 64, EtherType: EtherIPv4, L3: 14, L4: 34, Payload: 34, End: 34, IPLen: 20}},
		{"IPv6 UDP", macs + "86dd 6ab12345 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000", 0,
			Info{Kind: IPv6, Proto: 17, TTL: 64, TOS: 0xab, HasL4: true, HasPorts: true, SrcPort: 53, DstPort: 5000, EtherType: EtherIPv6, L3: 14, L4: 54, Payload: 62, End: 62, IPLen: 48}},
		{"IPv6 hop-by-hop, routing, destination, AH, TCP", macs + "86dd 60000000 0038 00 40 " + a6 + b6 +
			"2b00 010400000000 3c00 0000 00000000 3300 010400000000 0601 0000 00000001 00000001 " + tcp, 0,
			Info{Kind: IPv6, Proto: 6, TTL: 64, TCPFlags: SYN | ACK, HasL4: true, HasPorts: true, SrcPort: 50096, DstPort: 80, EtherType: EtherIPv6, L3: 14, L4: 90, Payload: 110, End: 110, IPLen: 96}},
		{"IPv6 first fragment", macs + "86dd 60000000 0010 2c 40 " + a6 + b6 + "1100 0001 00000009 0035 1388 0100 0000", 0,
			Info{Kind: IPv6, Proto: 17, TTL: 64, Frag: true, FirstFrag: true, MoreFrags: true, HasL4: true, HasPorts: true, SrcPort: 53, DstPort: 5000, EtherType: EtherIPv6, L3: 14, fragment: 54, L4: 62, Payload: 70, End: 70, IPLen: 56}},
		{"IPv6 later fragment", macs + "86dd 60000000 0010 2c 40 " + a6 + b6 + "1100 0010 00000009 0035 1388 0100 0000", 0,
			Info{Kind: IPv6, Proto: 17, TTL: 64, Frag: true, FragOff: 16, EtherType: EtherIPv6, L3: 14, fragment: 54, L4: 62, Payload: 62, End: 70, IPLen: 56}},
		{"IPv6 nothing follows", macs + "86dd 60000000 0000 3b 40 " + a6 + b6, 0,
			Info{Kind: IPv6, Proto: 59, TTL: 64, EtherType: EtherIPv6, L3: 14, L4: 54, Payload: 54, End: 54, IPLen: 40}},
		{"IPv6 jumbogram", macs + "86dd 60000000 0000 00 40 " + a6 + b6 + "3b00 c20400010008", 0,
			Info{Kind: IPv6, Proto: 59, TTL: 64, EtherType: EtherIPv6, L3: 14, L4: 62, Payload: 62, End: 62, IPLen: 48}},
		{"IPv6 longer than the frame", macs + "86dd 60000000 0001 3b 40 " + a6 + b6, 0,
			Info{Kind: IPv6, Problem: BadIPLength, Proto: 59, TTL: 64, EtherType: EtherIPv6, L3: 14, Payload: 54, End: 54, IPLen: 41}},
		{"IPv6 extension cut short", macs + "86dd 60000000 0008 00 40 " + a6 + b6 + "1101 010400000000", 0,
			Info{Kind: IPv6, Problem: BadExtension, TTL: 64, EtherType: EtherIPv6, L3: 14, Payload: 54, End: 62, IPLen: 48}},
		{"IPv6 chain of 17 headers", macs + "86dd 60000000 0088 3c 40 " + a6 + b6 + strings.Repeat("3c00 010400000000 ", 17), 0,
			Info{Kind: IPv6, Problem: BadExtension, Proto: 60, TTL: 64, EtherType: EtherIPv6, L3: 14, Payload: 182, End: 190, IPLen: 176}},
		{"IPv6 says version 4", macs + "86dd 40000000 0000 3b 40 " + a6 + b6, 0, Info{Problem: BadIPVersion, EtherType: EtherIPv6, L3: 14, Payload: 14, End: 54}},
		{"IPv6 cut short", macs + "86dd 60000000 0000 3b", 0, Info{Problem: ShortIP, EtherType: EtherIPv6, L3: 14, Payload: 14, End: 21}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frame := bytesOf(t, tt.frame)
			wire := tt.wire
			if wire == 0 {
				wire = len(frame)
			}
			got := Info{Proto: 77, Frag: true} // what an earlier packet left
			Parse(frame, wire, &got)
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestPayload(t *testing.T) {
	frame := bytesOf(t, macs+"0800 4500001e 00010000 4011 0000 "+a4+b4+"0035 1388 000a 0000 6869 0000")
	var in Info
	Parse(frame, len(frame), &in)
	if string(in.Bytes(frame)) != "hi" || in.PayloadLen() != 2 || in.L4Len() != 10 {
		t.Errorf("payload %q, %d bytes, %d from the UDP header on; want hi, 2, 10", in.Bytes(frame), in.PayloadLen(), in.L4Len())
	}
	Parse(frame[:43], len(frame), &in)
	if string(in.Bytes(frame[:43])) != "h" || in.PayloadLen() != 2 {
		t.Errorf("cut payload %q of %d; want h of 2", in.Bytes(frame[:43]), in.PayloadLen())
	}
	Parse(frame[:42], len(frame), &in)
	if in.Bytes(frame[:42]) != nil {
		t.Errorf("payload %q where none was carried", in.Bytes(frame[:42]))
	}
	Parse(frame[:10], 10, &in)
	if in.Src(frame) != nil || in.Dst(frame) != nil || in.L4Len() != 0 {
		t.Error("addresses or a transport header of half an Ethernet header")
	}
}

func TestProblemsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for p := range NumProblems {
		if s := p.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("problem %d is named %q", p, s)
		} else {
			seen[s] = true
		}
	}
	if NumProblems.String() != "unknown" {
		t.Errorf("problem past the last is named %q", NumProblems)
	}
}
