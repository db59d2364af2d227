package packet

import "testing"

const (
	udp4 = "4500001c 00010000 4011 0000 " + a4 + b4 + "0035 1388 0008 0000"
	udp6 = "60000000 0008 11 40 " + a6 + b6 + "0035 1388 0008 0000"
)

// Whatever stands before it, an IP packet is found; what is no IP packet stays that.
func TestLinkHeadersAreLookedBehind(t *testing.T) {
	for _, tt := range []struct {
		name string
		link string // behind the addresses
		kind Kind   // of the UDP packet that follows
		l3   uint16
		et   uint16 // where it is no IP
	}{
		{"plain", "0800", IPv4, 14, 0},
		{"one tag", "8100 0001 0800", IPv4, 18, 0},
		{"three tags", "88a8 0001 8100 0002 8100 0003 86dd", IPv6, 26, 0},
		{"five tags of all types", "8100 0001 88a8 0002 9100 0003 9200 0004 9300 0005 0800", IPv4, 34, 0},
		{"tag type 0x9100", "9100 0001 0800", IPv4, 18, 0},
		{"tag type 0x9200", "9200 0001 86dd", IPv6, 18, 0},
		{"PPPoE, IPv4", "8864 1100 0007 001e 0021", IPv4, 22, 0},
		{"PPPoE, IPv6", "8864 1100 0007 0032 0057", IPv6, 22, 0},
		{"PPPoE, compressed protocol", "8864 1100 0007 001d 21", IPv4, 21, 0},
		{"PPPoE in a VLAN", "8100 0005 8864 1100 0007 001e 0021", IPv4, 26, 0},
		{"PPPoE, link control", "8864 1100 0007 001e c021", NotIP, 14, EtherPPPoESession},
		{"PPPoE discovery", "8863 1109 0000 0004 0101 0000", NotIP, 14, EtherPPPoEDiscovery},
		{"MPLS", "8847 00001140", IPv4, 18, 0},
		{"MPLS, three labels", "8847 00001040 00002040 00003140", IPv6, 26, 0},
		{"MPLS, upstream-assigned", "8848 00001140", IPv4, 18, 0},
		{"MPLS in PPPoE", "8864 1100 0007 0022 0281 00001140", IPv4, 26, 0},
		{"a pseudowire in MPLS", "8847 00001140 00000000 " + macs + "0800", IPv4, 36, 0},
		{"SNAP", "0024 aaaa03 000000 0800", IPv4, 22, 0},
		{"SNAP, bridge tunnel", "0024 aaaa03 0000f8 86dd", IPv6, 22, 0},
		{"SNAP behind a tag", "8100 0001 0024 aaaa03 000000 0800", IPv4, 26, 0},
		{"tag behind SNAP", "0028 aaaa03 000000 8100 0001 0800", IPv4, 26, 0},
		{"SNAP of somebody else's", "0024 aaaa03 00000c 2000", NotIP, 14, 0x24},
		{"SNAP in a jumbo frame", "8870 aaaa03 000000 0800", IPv4, 22, 0},
		{"IP by its own SAP", "001f 060603", IPv4, 17, 0},
		{"spanning tree", "0026 424203", NotIP, 14, 0x26},
		{"ARP in two VLANs", "88a8 0001 8100 0002 0806", NotIP, 22, EtherARP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := udp4
			if tt.kind == IPv6 {
				body = udp6
			}
			frame := bytesOf(t, macs+tt.link+body)
			var in Info
			Parse(frame, len(frame), &in)
			if in.Kind != tt.kind || in.L3 != tt.l3 || in.Problem != OK {
				t.Fatalf("kind %d at %d, %v; expected %d at %d", in.Kind, in.L3, in.Problem, tt.kind, tt.l3)
			}
			if tt.kind == NotIP && in.EtherType != tt.et {
				t.Errorf("EtherType %#x; expected %#x", in.EtherType, tt.et)
			}
			if tt.kind != NotIP && (in.SrcPort != 53 || in.DstPort != 5000) {
				t.Errorf("ports %d and %d; expected 53 and 5000", in.SrcPort, in.DstPort)
			}
			for cut := range int(in.L3) { // cut anywhere: no panic, no offset outside
				var short Info
				if Parse(frame[:cut], len(frame), &short); int(short.L3) > cut {
					t.Errorf("cut to %d bytes: network header at %d", cut, short.L3)
				}
			}
		})
	}
}

// A flow's key tells apart what is in different VLANs at any depth, and in different PPPoE sessions; not by label or priority.
func TestKeyIncludesTheTags(t *testing.T) {
	key := func(link string) Key {
		k, _ := keyOf(t, macs+link+udp4)
		return k
	}
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"88a8 0001 8100 0002 8100 0003 0800", "88a8 0001 8100 0002 8100 0004 0800", false},
		{"88a8 0001 8100 0002 8100 0003 0800", "88a8 0001 8100 0002 0800", false},
		{"88a8 0001 8100 0002 8100 0003 0800", "88a8 0001 8100 0002 8100 e003 0800", true},
		{"8100 0001 8100 0001 8100 0002 8100 0003 0800", "8100 0001 8100 0001 8100 0003 8100 0002 0800", false},
		{"8864 1100 0007 001e 0021", "8864 1100 0008 001e 0021", false},
		{"8847 00001140", "8847 00002140", true},
		{"0024 aaaa03 000000 0800", "0800", true},
	} {
		if (key(tt.a) == key(tt.b)) != tt.same {
			t.Errorf("%s and %s: same key %v; expected %v", tt.a, tt.b, !tt.same, tt.same)
		}
	}
}
