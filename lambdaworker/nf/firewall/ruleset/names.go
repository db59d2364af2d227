package ruleset

import (
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
)

// Names that nft knows. Numbers are IANA's; the spelling is that of `nft describe`.

// ProtocolNames are the transport protocols.
var ProtocolNames = map[string]uint64{
	"ip": 0, "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58,
	"ipv6-icmp": 58, "ipv6-nonxt": 59, "eigrp": 88, "ospf": 89, "pim": 103, "comp": 108, "ipcomp": 108, "vrrp": 112, "l2tp": 115,
	"sctp": 132, "udplite": 136, "ipv6-route": 43, "ipv6-frag": 44, "ipv6-opts": 60, "hopopt": 0, "ipip": 94, "mobility-header": 135,
}

var nfprotoNames = map[string]uint64{"ipv4": 2, "ipv6": 10}

var tcpFlagNames = map[string]uint64{"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}

var icmpTypeNames = map[string]uint64{
	"echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8, "router-advertisement": 9,
	"router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12, "timestamp-request": 13, "timestamp-reply": 14,
	"info-request": 15, "info-reply": 16, "address-mask-request": 17, "address-mask-reply": 18,
}

var icmp6TypeNames = map[string]uint64{
	"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128, "echo-reply": 129,
	"mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132, "mld-listener-reduction": 132,
	"nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137,
	"router-renumbering": 138, "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}

// ICMPCodeNames are the codes of destination unreachable (RFC 792).
var ICMPCodeNames = map[string]uint64{
	"net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "frag-needed": 4, "net-prohibited": 9,
	"host-prohibited": 10, "admin-prohibited": 13,
}

var icmp6CodeNames = map[string]uint64{
	"no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4, "policy-fail": 5, "reject-route": 6,
}

// ICMPXCodes are the codes that `reject with icmpx` translates for either family (IPv4, IPv6).
var ICMPXCodes = map[string][2]uint8{
	"port-unreachable": {3, 4}, "admin-prohibited": {13, 1}, "no-route": {0, 0}, "host-unreachable": {1, 3},
}

var dscpNames = map[string]uint64{
	"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56, "be": 0, "df": 0, "lephb": 1, "va": 44, "ef": 46,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "af43": 38,
}

var ctStateNames = map[string]uint64{
	"invalid": conntrack.StateInvalid, "established": conntrack.StateEstablished, "related": conntrack.StateRelated, "new": conntrack.StateNew, "untracked": conntrack.StateUntracked,
}

var ctStatusNames = map[string]uint64{"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32, "dying": 512}

var ctDirectionNames = map[string]uint64{"original": 0, "reply": 1}

var ecnNames = map[string]uint64{"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3}

var etherTypeNames = map[string]uint64{"ip": EtherIPv4, "ip6": EtherIPv6, "arp": 0x0806, "vlan": 0x8100, "8021q": 0x8100, "8021ad": 0x88a8}

var packetTypeNames = map[string]uint64{"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3}

var booleanNames = map[string]uint64{"exists": 1, "missing": 0}

// IfaceNames are the names of the two ports of the wire.
var IfaceNames = map[string]uint64{"inside": 0, "outside": 1}

// PriorityNames are the priorities of base chains.
var PriorityNames = map[string]int{
	"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
}

// serviceNames are the services of the IANA registry that rule files name in practice; nft asks /etc/services, which a
// worker does not have.
var serviceNames = map[string]uint64{
	"echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37,
	"whois": 43, "tacacs": 49, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "http": 80, "www": 80,
	"kerberos": 88, "pop3": 110, "sunrpc": 111, "auth": 113, "nntp": 119, "ntp": 123, "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138,
	"netbios-ssn": 139, "imap2": 143, "imap": 143, "snmp": 161, "snmp-trap": 162, "bgp": 179, "irc": 194, "ldap": 389, "https": 443,
	"microsoft-ds": 445, "kpasswd": 464, "submissions": 465, "isakmp": 500, "exec": 512, "login": 513, "shell": 514, "syslog": 514, "printer": 515, "rip": 520,
	"uucp": 540, "dhcpv6-client": 546, "dhcpv6-server": 547, "rtsp": 554, "nntps": 563, "submission": 587, "ipp": 631, "ldaps": 636,
	"domain-s": 853, "rsync": 873, "ftps-data": 989, "ftps": 990, "imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194, "ms-sql-s": 1433, "ms-sql-m": 1434,
	"radius": 1812, "radius-acct": 1813, "nfs": 2049, "iscsi-target": 3260, "mysql": 3306, "ms-wbt-server": 3389, "ipsec-nat-t": 4500, "vxlan": 4789,
	"sip": 5060, "sip-tls": 5061, "xmpp-client": 5222, "xmpp-server": 5269, "mdns": 5353, "postgresql": 5432, "amqps": 5671, "amqp": 5672, "x11": 6000,
	"redis": 6379, "http-alt": 8080, "git": 9418,
}

// Names returns the names of values of type d, nil if it has none.
func (d Datatype) Names() map[string]uint64 {
	switch d {
	case TypeProtocol:
		return ProtocolNames
	case TypeService:
		return serviceNames
	case TypeNFProto:
		return nfprotoNames
	case TypeTCPFlags:
		return tcpFlagNames
	case TypeICMP:
		return icmpTypeNames
	case TypeICMP6:
		return icmp6TypeNames
	case TypeICMPCode:
		return ICMPCodeNames
	case TypeICMP6Code:
		return icmp6CodeNames
	case TypeDSCP:
		return dscpNames
	case TypeCTState:
		return ctStateNames
	case TypeBoolean:
		return booleanNames
	case TypeIfname:
		return IfaceNames
	case TypeECN:
		return ecnNames
	case TypeEtherType:
		return etherTypeNames
	case TypePacketType:
		return packetTypeNames
	case TypeCTStatus:
		return ctStatusNames
	case TypeCTDirection:
		return ctDirectionNames
	}
	return nil
}

// Bits returns how many bits a value of type d has.
func (d Datatype) Bits() int {
	switch d {
	case TypeAddr4, TypeCTState, TypeCTStatus, TypeMark:
		return 32
	case TypeEtherAddr:
		return 48
	case TypeAddr6:
		return 128
	case TypeService, TypeIfname, TypeEtherType:
		return 16
	case TypeDSCP:
		return 6
	case TypeECN:
		return 2
	case TypeInteger:
		return 64
	}
	return 8
}
