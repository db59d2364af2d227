package ids

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/decap"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// outer4 is an IPv4 packet of a tunnel.
func outer4(proto uint8, payload string) string {
	h := make([]byte, 20)
	packet.IPv4Header(h).Init(20+len(payload), proto, []byte{198, 51, 100, 1}, []byte{198, 51, 100, 2})
	return string(h) + payload
}

func outer6(proto uint8, payload string) string {
	h := make([]byte, 40)
	packet.IPv6Header(h).Init(len(payload), proto, []byte(strings.Repeat("\x20", 16)), []byte(strings.Repeat("\x21", 16)))
	return string(h) + payload
}

// outerUDP is a datagram without a checksum.
func outerUDP(port uint16, payload string) string {
	h := binary.BigEndian.AppendUint16(nil, 5000)
	h = binary.BigEndian.AppendUint16(h, port)
	h = binary.BigEndian.AppendUint16(h, uint16(8+len(payload)))
	return outer4(17, string(h)+"\x00\x00"+payload)
}

// wraps are the ways in which a packet is carried: its frame is made of an Ethernet header's addresses, and what is returned.
var wraps = map[string]func(kind, ip string) string{
	"plain":            func(kind, ip string) string { return kind + ip },
	"a third VLAN tag": func(kind, ip string) string { return "\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03" + kind + ip },
	"MPLS":             func(kind, ip string) string { return "\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40" + ip },
	"PPPoE":            func(kind, ip string) string { return "\x88\x64\x11\x00\x00\x01\x01\x00" + pppKind(kind) + ip },
	"GRE":              func(kind, ip string) string { return "\x08\x00" + outer4(47, "\x00\x00"+kind+ip) },
	"GRE with options": func(kind, ip string) string { return "\x08\x00" + outer4(47, "\xb0\x00"+kind+"SUM1KEY1SEQ1"+ip) },
	"GRE with a route": func(kind, ip string) string {
		return "\x08\x00" + outer4(47, "\x40\x00"+kind+"SUM1"+"\x08\x00\x00\x04ABCD\x00\x00\x00\x00"+ip)
	},
	"PPTP": func(kind, ip string) string {
		return "\x08\x00" + outer4(47, "\x30\x81\x88\x0b\x00\x00\x00\x01SEQ1ACK1\xff\x03"+pppKind(kind)+ip)
	},
	"GRE over IPv6": func(kind, ip string) string { return "\x86\xdd" + outer6(47, "\x00\x00"+kind+ip) },
	"Ethernet over GRE": func(kind, ip string) string {
		return "\x08\x00" + outer4(47, "\x00\x00\x65\x58"+"dstmacsrcmac"+kind+ip)
	},
	"ERSPAN": func(kind, ip string) string {
		return "\x08\x00" + outer4(47, "\x10\x00\x88\xbeSEQ1\x10\x05\x00\x00\x00\x00\x00\x00"+"dstmacsrcmac"+kind+ip)
	},
	"IP in IPv4":     func(kind, ip string) string { return "\x08\x00" + outer4(inIP(kind), ip) },
	"IP in IPv6":     func(kind, ip string) string { return "\x86\xdd" + outer6(inIP(kind), ip) },
	"IP in IP in IP": func(kind, ip string) string { return "\x08\x00" + outer4(41, outer6(inIP(kind), ip)) },
	"VXLAN": func(kind, ip string) string {
		return "\x08\x00" + outerUDP(4789, "\x08\x00\x00\x00\x00\x00\x05\x00dstmacsrcmac"+kind+ip)
	},
	"GENEVE": func(kind, ip string) string {
		return "\x08\x00" + outerUDP(6081, "\x01\x00\x65\x58\x00\x00\x05\x00OPT1dstmacsrcmac"+kind+ip)
	},
	"GENEVE without Ethernet": func(kind, ip string) string {
		return "\x08\x00" + outerUDP(6081, "\x00\x00"+kind+"\x00\x00\x05\x00"+ip)
	},
}

func pppKind(kind string) string {
	if kind == "\x08\x00" {
		return "\x00\x21"
	}
	return "\x00\x57"
}

func inIP(kind string) uint8 {
	if kind == "\x08\x00" {
		return 4
	}
	return 41
}

// TestTunnels: what a tunnel carries is inspected like what comes without one, and moves to a successor.
func TestTunnels(t *testing.T) {
	s := stageOf(evasionRules, "memory: 4")
	s.Flows = 64
	for name, wrap := range wraps {
		for _, ends := range [2][2]string{{client, server}, {"[2001:db8::1]:2000", "[2001:db8::2]:80"}} {
			t.Run(name+" of "+ends[0], func(t *testing.T) {
				var capture []nftest.Packet
				for _, p := range nftest.Packets(nftest.Connection(ends[0], ends[1], "GET /evil HTTP/1.1\r\nUser-Agent: evilua\r\n\r\n", fine)...) {
					p.Data = append(p.Data[:12:12], wrap(string(p.Data[12:14]), string(p.Data[14:]))...)
					p.Wire = uint32(len(p.Data))
					capture = append(capture, p)
				}
				if got := fmt.Sprint(count(replay(t, s, capture, 64))); got != "map[1:1 2:1 7:1]" {
					t.Errorf("alerts by sid: %s", got)
				}
				nftest.HandOff(t, s, capture, "memory_used")
			})
		}
	}
	ip := string(nftest.TCP(client, server, "S", "").Packet().Data[14:])
	for range 2 * maxNested { // the end of patience
		ip = outer4(4, ip)
	}
	replay(t, s, []nftest.Packet{{Data: []byte("dstmacsrcmac\x08\x00" + ip), Wire: uint32(14 + len(ip))}}, 64)
}

func FuzzInner(f *testing.F) {
	for _, wrap := range wraps {
		f.Add([]byte("dstmacsrcmac" + wrap("\x08\x00", string(nftest.UDP(client, server, "x").Packet().Data[14:]))))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var in packet.Info
		packet.Parse(frame, len(frame), &in)
		for range 4 {
			et, at, ok := decap.Inner(&in, frame)
			if !ok {
				return
			}
			if at <= int(in.L3) || at > len(frame) {
				t.Fatalf("a packet at byte %d, of one at %d in %d bytes", at, in.L3, len(frame))
			}
			end := in.End
			if packet.ParseInner(frame, &in, et, at, &in); in.End > end || in.Problem == packet.OK && int(in.L4) > len(frame) {
				t.Fatalf("what is carried reaches to %d, the tunnel's packet to %d", in.End, end)
			}
		}
	})
}
