package firewall

import "github.com/granule-nf/granule/ingress/packet"

// field is something of a packet that a rule can compare.
type field uint8

const (
	noField field = iota
	ip4Src
	ip4Dst
	ip6Src
	ip6Dst
	ip4Protocol
	ip6NextHeader
	metaL4Proto
	metaNFProto
	transportSrc // sport of tcp, udp, th...
	transportDst
	tcpFlags
	tcpWindow
	udpLength
	icmpType
	icmpCode
	icmp6Type
	icmp6Code
	ip4TTL
	ip6HopLimit
	ip4DSCP
	ip6DSCP
	ip4FragOff
	ip4ID
	ip4Length
	ip6Length
	ip6FlowLabel
	metaLength
	ctState
	vlanID
	inSide
	outSide
	ip6HasFragment // exthdr frag
	ip4Version
	ip6Version
	ip4HeaderLength
	ip4ECN
	ip6ECN
	tcpSequence
	tcpAckSeq
	tcpDataOffset
	tcpUrgent
	tcpChecksum
	udpChecksum
	icmpID
	icmpSequence
	icmp6ID
	icmp6Sequence
	fragNextHeader
	fragOffset
	fragMore
	fragID
	metaProtocol // behind VLAN tags
	etherType    // as on the wire
	packetType
	numFields
)

// datatype is how values of a field are written.
type datatype uint8

const (
	integer datatype = iota
	addr4
	addr6
	protocol
	service
	nfproto
	flagsOfTCP
	typeOfICMP
	typeOfICMP6
	codeOfICMP
	codeOfICMP6
	dscp
	stateOfCT
	sideName
	boolean
	ecn
	ethertype
	pktType
)

// l3 and l4 of a fieldInfo are protocols that a match on the field implies; 0 is none.
const (
	anyTransport = 1 << 8 // some transport header, whatever its protocol (`th`)
	noProto      = 1 << 9 // the value 0 is a protocol number too (hop-by-hop)
)

type fieldInfo struct {
	name string
	bits int
	kind datatype
	l3   packet.Kind // the network protocol that must be there
	l4   int         // the transport protocol that must be there, anyTransport or noProto
}

var fields = [numFields]fieldInfo{
	ip4Src:         {"ip saddr", 32, addr4, packet.IPv4, noProto},
	ip4Dst:         {"ip daddr", 32, addr4, packet.IPv4, noProto},
	ip6Src:         {"ip6 saddr", 128, addr6, packet.IPv6, noProto},
	ip6Dst:         {"ip6 daddr", 128, addr6, packet.IPv6, noProto},
	ip4Protocol:    {"ip protocol", 8, protocol, packet.IPv4, noProto},
	ip6NextHeader:  {"ip6 nexthdr", 8, protocol, packet.IPv6, noProto},
	metaL4Proto:    {"meta l4proto", 8, protocol, 0, noProto},
	metaNFProto:    {"meta nfproto", 8, nfproto, 0, noProto},
	transportSrc:   {"th sport", 16, service, 0, anyTransport},
	transportDst:   {"th dport", 16, service, 0, anyTransport},
	tcpFlags:       {"tcp flags", 8, flagsOfTCP, 0, packet.ProtoTCP},
	tcpWindow:      {"tcp window", 16, integer, 0, packet.ProtoTCP},
	udpLength:      {"udp length", 16, integer, 0, packet.ProtoUDP},
	icmpType:       {"icmp type", 8, typeOfICMP, packet.IPv4, packet.ProtoICMP},
	icmpCode:       {"icmp code", 8, codeOfICMP, packet.IPv4, packet.ProtoICMP},
	icmp6Type:      {"icmpv6 type", 8, typeOfICMP6, packet.IPv6, packet.ProtoICMPv6},
	icmp6Code:      {"icmpv6 code", 8, codeOfICMP6, packet.IPv6, packet.ProtoICMPv6},
	ip4TTL:         {"ip ttl", 8, integer, packet.IPv4, noProto},
	ip6HopLimit:    {"ip6 hoplimit", 8, integer, packet.IPv6, noProto},
	ip4DSCP:        {"ip dscp", 6, dscp, packet.IPv4, noProto},
	ip6DSCP:        {"ip6 dscp", 6, dscp, packet.IPv6, noProto},
	ip4FragOff:     {"ip frag-off", 16, integer, packet.IPv4, noProto},
	ip4ID:          {"ip id", 16, integer, packet.IPv4, noProto},
	ip4Length:      {"ip length", 16, integer, packet.IPv4, noProto},
	ip6Length:      {"ip6 length", 16, integer, packet.IPv6, noProto},
	ip6FlowLabel:   {"ip6 flowlabel", 20, integer, packet.IPv6, noProto},
	metaLength:     {"meta length", 32, integer, 0, noProto},
	ctState:        {"ct state", 32, stateOfCT, 0, noProto},
	vlanID:         {"vlan id", 12, integer, 0, noProto},
	inSide:         {"iifname", 16, sideName, 0, noProto},
	outSide:        {"oifname", 16, sideName, 0, noProto},
	ip6HasFragment: {"exthdr frag", 1, boolean, packet.IPv6, noProto},

	ip4Version:      {"ip version", 4, integer, packet.IPv4, noProto},
	ip6Version:      {"ip6 version", 4, integer, packet.IPv6, noProto},
	ip4HeaderLength: {"ip hdrlength", 4, integer, packet.IPv4, noProto},
	ip4ECN:          {"ip ecn", 2, ecn, packet.IPv4, noProto},
	ip6ECN:          {"ip6 ecn", 2, ecn, packet.IPv6, noProto},
	tcpSequence:     {"tcp sequence", 32, integer, 0, packet.ProtoTCP},
	tcpAckSeq:       {"tcp ackseq", 32, integer, 0, packet.ProtoTCP},
	tcpDataOffset:   {"tcp doff", 4, integer, 0, packet.ProtoTCP},
	tcpUrgent:       {"tcp urgptr", 16, integer, 0, packet.ProtoTCP},
	tcpChecksum:     {"tcp checksum", 16, integer, 0, packet.ProtoTCP},
	udpChecksum:     {"udp checksum", 16, integer, 0, packet.ProtoUDP},
	icmpID:          {"icmp id", 16, integer, packet.IPv4, packet.ProtoICMP},
	icmpSequence:    {"icmp sequence", 16, integer, packet.IPv4, packet.ProtoICMP},
	icmp6ID:         {"icmpv6 id", 16, integer, packet.IPv6, packet.ProtoICMPv6},
	icmp6Sequence:   {"icmpv6 sequence", 16, integer, packet.IPv6, packet.ProtoICMPv6},
	fragNextHeader:  {"frag nexthdr", 8, protocol, packet.IPv6, noProto},
	fragOffset:      {"frag frag-off", 13, integer, packet.IPv6, noProto},
	fragMore:        {"frag more-fragments", 1, integer, packet.IPv6, noProto},
	fragID:          {"frag id", 32, integer, packet.IPv6, noProto},
	metaProtocol:    {"meta protocol", 16, ethertype, 0, noProto},
	etherType:       {"ether type", 16, ethertype, 0, noProto},
	packetType:      {"meta pkttype", 8, pktType, 0, noProto},
}

// Ethernet types of the network protocols.
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// Bits of ct state, as the kernel numbers them.
const (
	ctInvalid     = 1 << 0
	ctEstablished = 1 << 1
	ctRelated     = 1 << 2
	ctNew         = 1 << 3
	ctUntracked   = 1 << 6
)

// bitmask reports whether values of d are flags that can be joined by commas and bars.
func (d datatype) bitmask() bool { return d == flagsOfTCP || d == stateOfCT }

func (d datatype) String() string {
	return [...]string{
		"a number", "an IPv4 address", "an IPv6 address", "a protocol (tcp, udp, icmp, ipv6-icmp, sctp, gre, esp, ah or a number)",
		"a port (a number or a service name)", "ipv4 or ipv6", "TCP flags (fin, syn, rst, psh, ack, urg, ecn, cwr)",
		"an ICMP type (a name such as echo-request, or a number)", "an ICMPv6 type (a name such as echo-request, or a number)",
		"an ICMP code (a name such as port-unreachable, or a number)", "an ICMPv6 code (a name such as port-unreachable, or a number)",
		"a DSCP (cs0-cs7, af11-af43, ef, va or a number below 64)", "a ct state (new, established, related, invalid, untracked)",
		"a port's name (inside, outside or a name from the option interfaces)", "exists or missing",
		"an ECN (not-ect, ect0, ect1, ce or a number below 4)", "an Ethernet type (ip, ip6, arp, vlan, 8021q, 8021ad or a number)",
		"a packet type (host, unicast, broadcast, multicast or other)",
	}[d]
}
