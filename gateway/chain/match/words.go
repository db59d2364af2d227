package match

import "github.com/granule-nf/granule/ingress/packet"

// protocol is the first qualifier of a primitive.
type protocol uint8

const (
	anyProtocol protocol = iota
	ether
	ip
	ip6
	arp
	rarp
	overIP   // a protocol of IPv4 alone: icmp
	overIP6  // of IPv6 alone: icmp6
	overBoth // of both: tcp
)

// protocolWord is a keyword that names a protocol.
type protocolWord struct {
	layer  protocol
	number uint8 // IP protocol number, from overIP on
	index  bool  // `name[offset]` reads its header
}

var protocolWords = map[string]protocolWord{
	"ether": {layer: ether, index: true}, "link": {layer: ether, index: true},
	"ip": {layer: ip, index: true}, "ip6": {layer: ip6, index: true}, "ipv6": {layer: ip6, index: true},
	"arp": {layer: arp, index: true}, "rarp": {layer: rarp, index: true},
	"tcp": {overBoth, packet.ProtoTCP, true}, "udp": {overBoth, packet.ProtoUDP, true}, "sctp": {overBoth, packet.ProtoSCTP, true},
	"icmp": {overIP, packet.ProtoICMP, true}, "icmp6": {overIP6, packet.ProtoICMPv6, true}, "icmpv6": {overIP6, packet.ProtoICMPv6, true},
	"igmp": {overIP, packet.ProtoIGMP, true}, "igrp": {overIP, 9, true}, "pim": {overBoth, 103, true},
	"vrrp": {overIP, 112, true}, "carp": {overIP, 112, true},
	"ah": {overBoth, packet.ProtoAH, false}, "esp": {overBoth, packet.ProtoESP, false},
}

// otherWords are the keywords that name no protocol.
var otherWords = []string{
	"src", "dst", "host", "net", "mask", "port", "portrange", "proto", "less", "greater", "broadcast", "multicast",
	"and", "or", "not", "len", "vlan",
}

// refusedWords are the rest of the language, each with why it is not understood.
var refusedWords = map[string]string{
	"gateway":    "it needs names of hosts to be looked up; write `ether host MAC and not host ADDRESS`",
	"protochain": "walking header chains is not supported; write `ip6 proto`",
	"inbound":    "flows are asked about whichever side they begin on; name addresses instead",
	"outbound":   "flows are asked about whichever side they begin on; name addresses instead",
	"ifname":     "a gateway has one wire; name addresses instead",
	"on":         "a gateway has one wire; name addresses instead",
	"byte":       "write `ether[OFFSET] = VALUE`",
	"mpls":       "a frame is matched by its IP header, whatever labels stand before it",
	"pppoed":     "PPPoE discovery never reaches a chain: the gateway passes what is not IP untouched",
	"pppoes":     "a frame is matched by its IP header, whatever session header stands before it",
	"geneve":     "tunnels are not looked into; write `udp port 6081`",
	"vxlan":      "tunnels are not looked into; write `udp port 4789`",
	"stp":        "frames that are not IP never reach a chain", "llc": "frames that are not IP never reach a chain",
	"iso": "frames that are not IP never reach a chain", "clnp": "frames that are not IP never reach a chain",
	"isis": "frames that are not IP never reach a chain", "esis": "frames that are not IP never reach a chain",
	"ipx": "frames that are not IP never reach a chain", "netbeui": "frames that are not IP never reach a chain",
	"atalk": "frames that are not IP never reach a chain", "aarp": "frames that are not IP never reach a chain",
	"decnet": "frames that are not IP never reach a chain", "lat": "frames that are not IP never reach a chain",
	"wlan": "the link of a gateway is Ethernet", "fddi": "the link of a gateway is Ethernet",
	"tr": "the link of a gateway is Ethernet", "ppp": "the link of a gateway is Ethernet", "slip": "the link of a gateway is Ethernet",
}

// protocolNumbers are the names that `proto` takes (IANA), keywords among them.
var protocolNumbers = map[string]uint32{
	"ip": 0, "hopopt": 0, "icmp": 1, "igmp": 2, "ipencap": 4, "ipip": 4, "tcp": 6, "egp": 8, "igp": 9, "igrp": 9, "udp": 17,
	"dccp": 33, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51,
	"ipv6-icmp": 58, "icmp6": 58, "icmpv6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "eigrp": 88, "ospf": 89, "pim": 103,
	"vrrp": 112, "carp": 112, "l2tp": 115, "sctp": 132, "mobility-header": 135, "udplite": 136, "mpls-in-ip": 137,
}

// etherTypes are the names that `ether proto` takes.
var etherTypes = map[string]uint32{
	"ip": packet.EtherIPv4, "arp": packet.EtherARP, "rarp": 0x8035, "ip6": packet.EtherIPv6, "ipv6": packet.EtherIPv6,
}

// services are the port names understood, with the protocol that a name is limited to (0: each).
var services = map[string]struct {
	port     uint32
	protocol uint8
}{
	"ftp-data": {20, packet.ProtoTCP}, "ftp": {21, packet.ProtoTCP}, "ssh": {22, packet.ProtoTCP}, "telnet": {23, packet.ProtoTCP},
	"smtp": {25, packet.ProtoTCP}, "domain": {53, 0}, "bootps": {67, packet.ProtoUDP}, "bootpc": {68, packet.ProtoUDP},
	"tftp": {69, packet.ProtoUDP}, "http": {80, packet.ProtoTCP}, "pop3": {110, packet.ProtoTCP}, "sunrpc": {111, 0},
	"ntp": {123, packet.ProtoUDP}, "imap": {143, packet.ProtoTCP}, "imap2": {143, packet.ProtoTCP}, "snmp": {161, 0}, "bgp": {179, packet.ProtoTCP},
	"ldap": {389, 0}, "https": {443, 0}, "syslog": {514, packet.ProtoUDP}, "submission": {587, packet.ProtoTCP},
	"ldaps": {636, 0}, "imaps": {993, packet.ProtoTCP}, "pop3s": {995, packet.ProtoTCP}, "openvpn": {1194, 0}, "mysql": {3306, packet.ProtoTCP},
	"sip": {5060, 0}, "postgresql": {5432, packet.ProtoTCP}, "mdns": {5353, packet.ProtoUDP}, "amqp": {5672, 0}, "redis": {6379, packet.ProtoTCP},
}

// constants are the names of numbers: offsets of header fields, and their values.
var constants = map[string]uint32{
	"tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
	"icmptype": 0, "icmpcode": 1, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8,
	"icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12, "icmp-tstamp": 13,
	"icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1, "icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
	"icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
	"icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
	"icmp6-neighboradvert": 136, "icmp6-redirect": 137,
}
