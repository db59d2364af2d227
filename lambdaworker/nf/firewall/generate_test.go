package firewall

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

// generator makes random rule files and packets that meet. Both draw from the same small pools, so that a packet
// is often just inside or just outside of what a rule names.
type generator struct {
	*rand.Rand
	track bool // rules may ask for ct state; packets are no fragments
	limit bool // rules may have limits
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 77))} }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

var (
	hosts4 = []string{"10.1.2.3", "10.1.2.4", "10.1.3.255", "10.2.0.0", "172.16.5.9", "192.0.2.1", "198.51.100.7", "8.8.8.8"}
	nets4  = []string{"10.0.0.0/8", "10.1.2.0/24", "10.1.2.2/31", "172.16.0.0/12", "192.0.2.0/25", "0.0.0.0/1"}
	hosts6 = []string{"2001:db8::1", "2001:db8::2", "2001:db8:1::ffff", "fd00:1::5", "2600::8000:0:0:1"}
	nets6  = []string{"2001:db8::/32", "2001:db8::/126", "fd00::/8", "2600::/12", "::/1"}
	ports  = []int{1, 22, 53, 79, 80, 81, 443, 1023, 1024, 8080, 40000, 65535}
)

func (g *generator) addr4() string {
	switch g.IntN(4) {
	case 0:
		return pick(g, nets4...)
	case 1:
		return pick(g, "10.1.2.3-10.1.3.0", "10.1.2.4-10.2.0.0", "172.16.5.8-172.16.5.9", "8.8.8.8-8.8.9.1")
	}
	return pick(g, hosts4...)
}

func (g *generator) addr6() string {
	switch g.IntN(4) {
	case 0:
		return pick(g, nets6...)
	case 1:
		return pick(g, "2001:db8::1-2001:db8::2", "2001:db8::2-2001:db8:1::ffff", "fd00::-fd00:1::5")
	}
	return pick(g, hosts6...)
}

func (g *generator) port() string {
	if g.IntN(3) == 0 {
		a, b := pick(g, ports...), pick(g, ports...)
		if a < b {
			return fmt.Sprintf("%d-%d", a, b)
		}
	}
	return fmt.Sprint(pick(g, ports...))
}

// some makes one value or a set of a few, distinct as written.
func (g *generator) some(value func() string) string {
	if g.IntN(3) > 0 {
		return value()
	}
	seen := map[string]bool{}
	var all []string
	for range 1 + g.IntN(4) {
		if v := value(); !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	return "{ " + strings.Join(all, ", ") + " }"
}

func (g *generator) not() string {
	if g.IntN(6) == 0 {
		return "!= "
	}
	return ""
}

// match makes a match for a rule whose network and transport protocol are what l3 and l4 name; empty ones are chosen
// when needed.
func (g *generator) match(l3, l4 *string) string {
	switch g.IntN(17) {
	case 0, 1, 2:
		if *l3 == "" {
			*l3 = pick(g, "ip", "ip", "ip6")
		}
		where := pick(g, "saddr", "daddr")
		if *l3 == "ip" {
			if g.IntN(5) == 0 {
				return "ip " + where + " " + g.not() + "@hosts4"
			}
			return "ip " + where + " " + g.not() + g.some(g.addr4)
		}
		return "ip6 " + where + " " + g.not() + g.some(g.addr6)
	case 3, 4, 5:
		if *l4 == "" {
			*l4 = pick(g, "tcp", "udp")
		}
		if *l4 == "tcp" || *l4 == "udp" {
			if g.IntN(6) == 0 {
				return *l4 + " " + pick(g, "sport", "dport") + " " + g.not() + "@ports"
			}
			return *l4 + " " + pick(g, "sport", "dport") + " " + g.not() + g.some(g.port)
		}
		return "th dport " + g.not() + g.some(g.port)
	case 6:
		if *l4 == "" {
			*l4 = "?"
			return "meta l4proto " + g.not() + g.some(func() string { return pick(g, "tcp", "udp", "icmp", "ipv6-icmp", "sctp", "gre") })
		}
		return "th sport " + g.port()
	case 7:
		if *l4 == "" || *l4 == "tcp" {
			*l4 = "tcp"
			return "tcp flags " + pick(g, "syn", "ack", "syn / syn,ack", "& (syn | ack) == syn", "& (fin | syn | rst | ack) == 0x0", "rst,fin", "! syn",
				"{ syn, syn | ack }", "!= ack", "& rst == rst", "& (fin | syn | rst | ack) < syn", "& (syn | ack) >= ack", `"syn"`)
		}
		return "th dport >= 80"
	case 8:
		if *l4 == "" && *l3 != "ip6" {
			*l3, *l4 = "ip", "icmp"
			return pick(g, "icmp type echo-request", "icmp type { echo-reply, destination-unreachable }", "icmp code 3", "icmp type != echo-request")
		}
		if *l4 == "" {
			*l3, *l4 = "ip6", "icmpv6"
			return pick(g, "icmpv6 type echo-request", "icmpv6 type { echo-reply, destination-unreachable }", "icmpv6 code != 0")
		}
		return "meta length " + pick(g, "> 100", "< 60", "40-60", "!= 48")
	case 9:
		if *l3 == "" {
			*l3 = pick(g, "ip", "ip6")
		}
		if *l3 == "ip" {
			return pick(g, "ip ttl 64", "ip ttl 64", "ip ttl < 10", "ip dscp { cs1, ef }", "ip length <= 60", "ip protocol != udp", "ip dscp != cs0", "ip saddr & 255.0.255.0 == 10.0.2.0")
		}
		return pick(g, "ip6 hoplimit 64", "ip6 hoplimit >= 10", "ip6 dscp ef", "ip6 nexthdr != tcp", "ip6 length > 20")
	case 10:
		if g.track && g.IntN(3) == 0 {
			return pick(g, "ct direction reply", "ct direction original", "ct status assured", "ct status ! seen-reply", "ct status & (seen-reply | assured) == seen-reply",
				"ct status dnat", "ct mark 0", "ct mark & 0x3 == 0x1")
		}
		if g.track {
			return "ct state " + pick(g, "established,related", "new", "invalid", "{ new, established }", "! new", "!= established", "related", "untracked")
		}
		if *l3 == "" {
			*l3 = pick(g, "ip", "ip6")
			return "meta nfproto " + map[string]string{"ip": "ipv4", "ip6": "ipv6"}[*l3]
		}
		return "meta nfproto != ipv4"
	case 12:
		return g.rare(l3, l4)
	case 13:
		if *l3 == "" && g.IntN(3) == 0 {
			*l3 = "ip"
			return pick(g, "meta protocol ip", "ether type ip")
		}
		return pick(g, "meta protocol { ip, ip6 }", "meta protocol != ip6", "ether type != vlan", "pkttype host",
			"meta pkttype { broadcast, multicast }", "pkttype != unicast", "iifname \"in*\"", "oifname \"o*\"", "iifname != in*")
	case 11:
		if *l3 == "ip6" || *l4 != "" && *l4 != "tcp" {
			return "meta length >= 60"
		}
		*l3, *l4 = "ip", "tcp"
		return "ip saddr . tcp dport " + pick(g, "", "!= ") + "{ 10.1.2.3 . 80, 10.0.0.0/8 . 443, 172.16.5.9 . 1-1023 }"
	}
	return "meta l4proto != udp"
}

// rare makes a match on fields that few rules ask for.
func (g *generator) rare(l3, l4 *string) string {
	if *l4 == "tcp" && g.IntN(3) == 0 {
		return pick(g, "tcp option maxseg size > 1000", "tcp option maxseg size 536-1400", "tcp option sack-perm exists", "tcp option window missing", "tcp option window count 7",
			"tcp option timestamp exists")
	}
	if *l4 == "tcp" {
		return pick(g, "tcp sequence 0", "tcp sequence != 0", "tcp ackseq < 5", "tcp doff 5", "tcp doff > 5", "tcp urgptr 0", "tcp checksum > 30000")
	}
	if *l4 == "udp" {
		return pick(g, "udp checksum != 0", "udp checksum < 0x8000", "udp length > 20")
	}
	if *l4 == "" && g.IntN(4) == 0 && *l3 != "ip" {
		*l3, *l4 = "ip6", "icmpv6"
		return pick(g, "icmpv6 id 0", "icmpv6 sequence 0-7", "icmpv6 type echo-reply icmpv6 id 0")
	}
	if *l3 == "" {
		*l3 = pick(g, "ip", "ip6")
	}
	if *l3 == "ip" {
		if *l4 == "" && g.IntN(3) == 0 {
			*l4 = "icmp"
			return pick(g, "icmp id 0", "icmp sequence 0", "icmp sequence != 0", "icmp type echo-request icmp id < 100")
		}
		return pick(g, "ip version 4", "ip hdrlength 5", "ip hdrlength > 5", "ip ecn not-ect", "ip ecn ce", "ip ecn { ect0, ce }", "ip ecn != not-ect")
	}
	return pick(g, "ip6 version 6", "ip6 ecn not-ect", "ip6 ecn ce", "frag more-fragments 1", "frag more-fragments 0", "frag id > 0", "frag frag-off 0", "frag nexthdr udp", "exthdr frag missing")
}

// verdict makes the end of a rule; chains are those that it may jump to.
func (g *generator) verdict(chains []string) string {
	n := 6
	if len(chains) > 0 {
		n = 10
	}
	switch g.IntN(n) {
	case 0, 1:
		return "accept"
	case 2, 3:
		return "drop"
	case 4:
		return "return"
	case 5:
		return ""
	case 6, 7:
		return "jump " + pick(g, chains...)
	case 8:
		return "goto " + pick(g, chains...)
	}
	return fmt.Sprintf("udp dport vmap { 1-53 : accept, 80 : drop, 443 : jump %s, 8080 : continue%s }%s", pick(g, chains...), pick(g, "", "", ", * : continue", ", * : drop"), pick(g, "", "", " counter", " counter name shared accept"))
}

func (g *generator) rule(chains []string) string {
	var l3, l4 string
	var parts []string
	for range g.IntN(4) {
		if g.IntN(8) == 0 && len(parts) > 0 && strings.HasPrefix(parts[len(parts)-1], "meta") {
			parts = append(parts, "counter")
		}
		parts = append(parts, g.match(&l3, &l4))
	}
	if g.IntN(8) == 0 {
		parts = append(parts, pick(g, "meta mark set 0x1", "meta mark set meta mark or 0x2", "meta mark 0x1", "meta mark & 0x2 == 0x2", "meta mark != 0x0"))
		if g.track {
			parts = append(parts, pick(g, "ct mark set 0x1", "ct mark set ct mark xor 0x3", "ct mark set meta mark"))
		}
	}
	if g.limit && g.IntN(6) == 0 {
		parts = append(parts, pick(g, "limit rate 100/second", "limit rate over 50/second burst 3 packets", "limit rate 20 kbytes/second burst 1 kbytes"))
	}
	if g.IntN(3) > 0 || len(parts) == 0 {
		parts = append(parts, pick(g, "counter", "counter", "counter", "counter", "counter name \"shared\""))
	}
	v := g.verdict(chains)
	if strings.HasPrefix(v, "udp") && l4 != "" && l4 != "udp" {
		v = "accept"
	}
	return strings.TrimSpace(strings.Join(parts, " ") + " " + v)
}

// rules makes a rule file with n rules in its base chain.
func (g *generator) rules(n int) string {
	var b strings.Builder
	b.WriteString("table inet filter {\n")
	b.WriteString("\tset hosts4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.1.2.0/24, 172.16.5.9, 192.0.2.1-192.0.2.7 }\n\t}\n")
	b.WriteString("\tcounter shared {\n\t}\n")
	b.WriteString("\tset ports {\n\t\ttype inet_service\n\t\tflags interval\n\t\telements = { 22, 79-80, 1024-40000 }\n\t}\n")
	var chains []string
	for i := range g.IntN(4) {
		name := fmt.Sprintf("c%d", i)
		fmt.Fprintf(&b, "\tchain %s {\n", name)
		for range 1 + g.IntN(5) {
			fmt.Fprintf(&b, "\t\t%s\n", g.rule(chains))
		}
		b.WriteString("\t}\n")
		chains = append(chains, name)
	}
	fmt.Fprintf(&b, "\tchain forward {\n\t\ttype filter hook forward priority %d; policy %s;\n", pick(g, 0, 0, 10), pick(g, "accept", "drop"))
	for range n {
		fmt.Fprintf(&b, "\t\t%s\n", g.rule(chains))
	}
	b.WriteString("\t}\n")
	if g.IntN(3) == 0 {
		fmt.Fprintf(&b, "\tchain other {\n\t\ttype filter hook forward priority %d; policy %s;\n", pick(g, -5, 0, 5), pick(g, "accept", "accept", "drop"))
		for range 1 + g.IntN(4) {
			fmt.Fprintf(&b, "\t\t%s\n", g.rule(chains))
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// packets makes n packets, numbered in the IPv4 identification or the IPv6 flow label so that they can be told apart.
func (g *generator) packets(n int) []nftest.Packet {
	out := make([]nftest.Packet, n)
	for i := range out {
		out[i] = g.packet(i)
	}
	return out
}

func (g *generator) packet(i int) nftest.Packet {
	p := nftest.P{Proto: pick(g, uint8(packet.ProtoTCP), packet.ProtoTCP, packet.ProtoTCP, packet.ProtoUDP, packet.ProtoUDP, packet.ProtoICMP, packet.ProtoSCTP, packet.ProtoGRE),
		Flags: pick(g, uint8(2), 0x12, 0x10, 0x11, 4, 0x14, 0x18, 0, 0x29, 3), TTL: pick(g, uint8(64), 64, 9, 10, 254, 2), TOS: pick(g, uint8(0), 0x20, 0xb8, 3),
		Payload: make([]byte, pick(g, 0, 1, 12, 60)), IPID: uint16(i), Since: time.Duration(i) * time.Millisecond}
	if g.track && p.Proto == packet.ProtoSCTP {
		p.Proto = packet.ProtoUDP // associations are not tracked as the kernel tracks them
	}
	sp, dp := pick(g, ports...), pick(g, ports...)
	if g.IntN(3) > 0 {
		p.Src, p.Dst = pick(g, hosts4...), pick(g, hosts4...)
		p.Type, p.Code = pick(g, uint8(8), 0, 3, 5), pick(g, uint8(0), 0, 3)
	} else {
		p.Src, p.Dst = pick(g, hosts6...), pick(g, hosts6...)
		p.Type, p.Code = pick(g, uint8(128), 129, 1), pick(g, uint8(0), 0, 4)
		if p.Proto == packet.ProtoICMP {
			p.Proto = packet.ProtoICMPv6
		}
	}
	if p.Proto == packet.ProtoTCP || p.Proto == packet.ProtoUDP || p.Proto == packet.ProtoSCTP {
		p.Src, p.Dst = withPort(p.Src, sp), withPort(p.Dst, dp)
	}
	if p.Proto == packet.ProtoTCP && g.IntN(3) == 0 {
		p.Options = pick(g, []byte{2, 4, 5, 180, 4, 2, 1, 1}, []byte{2, 4, 2, 23, 1, 3, 3, 7}, []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, []byte{4, 2, 0, 0}, []byte{1, 3, 3, 2}, []byte{2, 9, 1, 1})
	}
	if g.IntN(2) == 0 {
		p = p.Outside()
	}
	if !g.track && g.IntN(12) == 0 && p.Proto == packet.ProtoUDP {
		p = p.Fragment(0, true)
		p.Payload = make([]byte, 64)
	}
	k := p.Packet()
	number(k.Data, i)
	return k
}

func withPort(addr string, port int) string {
	if strings.Contains(addr, ":") {
		return fmt.Sprintf("[%s]:%d", addr, port)
	}
	return fmt.Sprintf("%s:%d", addr, port)
}

// number writes i into an IPv6 packet's flow label; IPv4 ones carry it as their identification.
func number(frame []byte, i int) {
	if frame[12] == 0x86 {
		frame[15] = frame[15]&0xf0 | byte(i>>16)
		binary.BigEndian.PutUint16(frame[16:], uint16(i))
	}
}
