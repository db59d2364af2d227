package classify

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/ingress/packet"
)

var everything = func() Layer2 {
	l, err := ParseLayer2(append(Layer2Names(), "0x88b5"))
	if err != nil {
		panic(err)
	}
	return l
}()

func raw(text string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Addresses: the link's own, global ones, groups.
const (
	local1, local2   = "fe800000000000000000000000000001", "fe800000000000000000000000000002"
	global1, global2 = "20010db8000000000000000000000001", "20010db8000000000000000000000002"
	nobody           = "00000000000000000000000000000000"
	allNodes         = "ff020000000000000000000000000001"
	solicited2       = "ff0200000000000000000001ff000002"
	siteGroup        = "ff050000000000000000000000000002"
	macs             = "020000000002 020000000001 "
	alert            = "3a00 050200000100"
	word             = "00000000"
)

// nd is an ICMPv6 message of a type with a body behind its first eight bytes.
func nd(hopLimit, src, dst, typ, body string) []byte {
	b := raw(typ + "00 0000 00000000" + body)
	return append(raw(macs+"86dd 60000000 00"+hex.EncodeToString([]byte{byte(len(b))})+" 3a "+hopLimit+src+dst), b...)
}

// mld is one with a hop-by-hop header, or what stands in its place.
func mld(hopLimit, src, dst, options, typ string) []byte {
	b := raw(options + typ + "00 0000 00000000" + strings.Repeat("00", 16))
	return append(raw(macs+"86dd 60000000 00"+hex.EncodeToString([]byte{byte(len(b))})+" 00 "+hopLimit+src+dst), b...)
}

var layer2Frames = []struct {
	name  string
	frame []byte
	class Class
	as    string // what it is counted as
}{
	{"ARP", raw(macs + "0806 0001 0800"), Bypassed, "arp"},
	{"ARP in two VLANs", raw(macs + "88a8 0001 8100 0002 0806 0001"), Bypassed, "arp"},
	{"LLDP", raw(macs + "88cc 0207"), Bypassed, "lldp"},
	{"LACP", raw("0180c2000002 020000000001 8809 01"), Bypassed, "lacp"},
	{"EAPOL", raw(macs + "888e 02"), Bypassed, "eapol"},
	{"STP", raw("0180c2000000 020000000001 0026 424203 0000"), Bypassed, "stp"},
	{"STP of provider bridges", raw("0180c2000008 020000000001 0026 424203 0000"), Bypassed, "stp"},
	{"STP of a VLAN", raw("01000ccccccd 020000000001 8100 0005 0032 aaaa03 00000c 010b 0000"), Bypassed, "stp"},
	{"STP to one station", raw(macs + "0026 424203 0000"), NotIP, ""},
	{"LLC that is no STP", raw("0180c2000000 020000000001 0026 e0e003 0000"), NotIP, ""},
	{"an EtherType that is listed", raw(macs + "88b5 00"), Bypassed, "0x88b5"},
	{"an EtherType that is not", raw(macs + "88b6 00"), NotIP, ""},
	{"PPPoE discovery", raw(macs + "8863 1109 0000 0000"), NotIP, ""},
	{"PPPoE link control", raw(macs + "8864 1100 0007 0006 c021 0101 0004"), NotIP, ""},
	{"a pseudowire in MPLS", raw(macs + "8847 00001140 00000000" + macs + "0800"), NotIP, ""},
	{"ARP cut short in its tag", raw(macs + "8100 00"), NotIP, ""},

	{"router solicitation", nd("ff", local1, "ff020000000000000000000000000002", "85", ""), Bypassed, "nd"},
	{"router solicitation of an address", nd("ff", global1, global2, "85", ""), Judged, ""},
	{"router advertisement", nd("ff", local1, allNodes, "86", word+word), Bypassed, "nd"},
	{"router advertisement from no router", nd("ff", global1, allNodes, "86", word+word), Judged, ""},
	{"router advertisement that was forwarded", nd("fe", local1, allNodes, "86", word+word), Judged, ""},
	{"neighbour solicitation", nd("ff", global1, solicited2, "87", global2), Bypassed, "nd"},
	{"duplicate address detection", nd("ff", nobody, solicited2, "87", global2), Bypassed, "nd"},
	{"is the neighbour still there", nd("ff", global1, global2, "87", global2), Bypassed, "nd"},
	{"neighbour solicitation about another", nd("ff", global1, global2, "87", global1), Judged, ""},
	{"neighbour solicitation, forwarded", nd("40", global1, global2, "87", global2), Judged, ""},
	{"neighbour solicitation, cut short", nd("ff", local1, local2, "87", word), Judged, ""},
	{"neighbour solicitation to a wider group", nd("ff", global1, siteGroup, "87", global2), Judged, ""},
	{"neighbour advertisement", nd("ff", global2, global1, "88", global2), Bypassed, "nd"},
	{"neighbour advertisement of another", nd("ff", global2, global1, "88", global1), Judged, ""},
	{"redirect", nd("ff", local1, global1, "89", global2+local2), Bypassed, "nd"},
	{"redirect from far", nd("ff", global1, global2, "89", global2+local2), Judged, ""},
	{"neighbour discovery with a code", append(nd("ff", local1, allNodes, "86", word+word)[:55], append([]byte{1}, nd("ff", local1, allNodes, "86", word+word)[56:]...)...), Judged, ""},
	{"neighbour discovery behind an extension", mld("ff", local1, local2, alert, "87"), Judged, ""},
	{"neighbour discovery in a fragment", raw(macs + "86dd 60000000 0020 2c ff" + local1 + local2 + "3a00 0001 00000001 87000000 00000000" + local2), Judged, ""},

	{"MLD report", mld("01", local1, "ff020000000000000000000000000016", alert, "8f"), Bypassed, "mld"},
	{"MLD query", mld("01", local1, allNodes, alert, "82"), Bypassed, "mld"},
	{"MLD report, no address yet", mld("01", nobody, siteGroup, alert, "83"), Bypassed, "mld"},
	{"MLD done, padded alert", mld("01", local1, siteGroup, "3a00 00 00 05020000", "84"), Bypassed, "mld"},
	{"MLD without a router alert", mld("01", local1, siteGroup, "3a00 010400000000", "8f"), Judged, ""},
	{"MLD without options", nd("01", local1, siteGroup, "8f", word), Judged, ""},
	{"MLD to one host", mld("01", local1, local2, alert, "8f"), Judged, ""},
	{"MLD from far", mld("01", global1, siteGroup, alert, "8f"), Judged, ""},
	{"MLD with hop limit 2", mld("02", local1, siteGroup, alert, "8f"), Judged, ""},

	{"IGMP report with its router alert", raw(macs + "0800 46000020 00010000 01 02 0000 0a000001 e0000016 94040000 22000000 00000000"), Bypassed, "igmp"},
	{"IGMP query", raw(macs + "0800 4500001c 00010000 01 02 0000 0a000001 e0000001 11000000 00000000"), Bypassed, "igmp"},
	{"protocol 2 to one host", raw(macs + "0800 4500001c 00010000 01 02 0000 0a000001 0a000002 11000000 00000000"), Judged, ""},
	{"IGMP with TTL 2", raw(macs + "0800 4500001c 00010000 02 02 0000 0a000001 e0000001 11000000 00000000"), Judged, ""},
	{"IGMP in a fragment", raw(macs + "0800 4500001c 00012000 01 02 0000 0a000001 e0000001 11000000 00000000"), Judged, ""},
}

// What crosses unjudged is on the list and in the form that its standard demands, and is counted by its name.
func TestLayer2(t *testing.T) {
	names := everything.Names()
	for _, tt := range layer2Frames {
		var p Packet
		r := Rules{Layer2: everything}
		r.Packet(tt.frame, uint32(len(tt.frame)), &p)
		if p.Class != tt.class || tt.as != "" && names[p.Layer2] != tt.as {
			t.Errorf("%s: class %d, counted as %q; expected class %d as %q (%+v)", tt.name, p.Class, names[p.Layer2], tt.class, tt.as, p.Info)
		}
		if r = (Rules{}); tt.class == Bypassed {
			want := NotIP
			if p.Info.Kind != packet.NotIP {
				want = Judged
			}
			if r.Packet(tt.frame, uint32(len(tt.frame)), &p); p.Class != want {
				t.Errorf("%s with an empty list: class %d; expected %d", tt.name, p.Class, want)
			}
		}
	}
}

// An IP packet is judged whatever its MAC address is, and whatever stands before it.
func TestIPIsJudgedBehindAnyLinkHeader(t *testing.T) {
	udp := "4500001c 00010000 4011 0000 c0000201 c6336402 0035 1388 0008 0000"
	for _, link := range []string{
		"ffffffffffff 020000000001 0800", "01005e000001 020000000001 0800", macs + "8100 0001 8100 0002 8100 0003 0800", macs + "9100 0001 0800",
		macs + "9200 0001 0800", macs + "8864 1100 0007 001e 0021", macs + "8847 00001140", macs + "8848 00001140", macs + "0024 aaaa03 000000 0800",
	} {
		f := raw(link + udp)
		var p Packet
		r := Rules{Layer2: everything}
		if r.Packet(f, uint32(len(f)), &p); p.Class != Judged || p.Info.DstPort != 5000 {
			t.Errorf("behind %s: class %d, port %d; expected it to be judged, and port 5000", link, p.Class, p.Info.DstPort)
		}
	}
}

func TestParseLayer2(t *testing.T) {
	for _, tt := range []struct {
		list []string
		want string // names that cross, or a part of the error
	}{
		{nil, ""}, {[]string{"none"}, ""},
		{[]string{"ARP", " nd"}, "arp nd"},
		{[]string{"0x0806", "35020"}, "arp lldp"},
		{[]string{"0x88b5", "0x88B5", "0x8863"}, "0x88b5 0x8863"},
		{[]string{"arq"}, "error: layer2: found \"arq\""},
		{[]string{"arp", "none"}, "error: layer2: found \"none\""},
		{[]string{"0x0800"}, "which is IPv4"}, {[]string{"0x9200"}, "which is a VLAN tag"}, {[]string{"0x26"}, "from 0x0600 on"},
	} {
		l, err := ParseLayer2(tt.list)
		if err != nil {
			if !strings.Contains("error: "+err.Error(), tt.want) || tt.want == "" {
				t.Errorf("%v: %v; expected %q", tt.list, err, tt.want)
			}
			continue
		}
		var crosses []string
		for i, name := range l.Names() {
			if name != "" && (i >= int(numNamed) || l.named[i]) {
				crosses = append(crosses, name)
			}
		}
		if got := strings.Join(crosses, " "); got != tt.want {
			t.Errorf("%v: %s crosses; expected %s", tt.list, got, tt.want)
		}
	}
	var many []string
	for et := range 40 {
		many = append(many, "0x7"+hex.EncodeToString([]byte{byte(et)})+"0")
	}
	if _, err := ParseLayer2(many); err == nil {
		t.Error("40 EtherTypes are taken; expected a bound")
	}
	if !slices.Equal(Layer2Names(), strings.Fields("arp lldp stp lacp eapol nd igmp mld")) {
		t.Errorf("names: %v", Layer2Names())
	}
}
