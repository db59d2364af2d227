package ruleset

import "github.com/granule-nf/granule/ingress/packet"

// Field is something of a packet that a rule can compare.
type Field uint8

const (
	noField Field = iota
	IP4Src
	IP4Dst
	IP6Src
	IP6Dst
	IP4Protocol
	IP6NextHeader
	MetaL4Proto
	MetaNFProto
	TransportSrc // sport of tcp, udp, th...
	TransportDst
	TCPFlags
	TCPWindow
	UDPLength
	ICMPType
	ICMPCode
	ICMP6Type
	ICMP6Code
	IP4TTL
	IP6HopLimit
	IP4DSCP
	IP6DSCP
	IP4FragOff
	IP4ID
	IP4Length
	IP6Length
	IP6FlowLabel
	MetaLength
	CTState
	VLANID
	InIface
	OutIface
	IP6HasFragment // exthdr frag
	IP4Version
	IP6Version
	IP4HeaderLength
	IP4ECN
	IP6ECN
	TCPSequence
	TCPAckSeq
	TCPDataOffset
	TCPUrgent
	TCPChecksum
	UDPChecksum
	ICMPID
	ICMPSequence
	ICMP6ID
	ICMP6Sequence
	FragNextHeader
	FragOffset
	FragMore
	FragID
	MetaProtocol // behind VLAN tags
	EtherType    // as on the wire
	PacketType
	EtherSrc
	EtherDst
	CTStatus
	CTDirection
	CTMark
	MetaMark
	optionExists // of TCP: fields for the kinds of OptionNames follow, in their order
	optionsEnd   = optionExists + numOptions - 1
	OptionMSS    = optionsEnd + 1 // the maximum segment size
	OptionScale  = optionsEnd + 2 // the shift of the window
	NumFields    = optionsEnd + 3
)

// Datatype is how values of a field are written.
type Datatype uint8

const (
	TypeInteger Datatype = iota
	TypeAddr4
	TypeAddr6
	TypeProtocol
	TypeService
	TypeNFProto
	TypeTCPFlags
	TypeICMP
	TypeICMP6
	TypeICMPCode
	TypeICMP6Code
	TypeDSCP
	TypeCTState
	TypeIfname
	TypeBoolean
	TypeECN
	TypeEtherType
	TypePacketType
	TypeEtherAddr
	TypeCTStatus
	TypeCTDirection
	TypeMark
)

// l3 and l4 of a fieldInfo are protocols that a match on the field implies; 0 is none.
const (
	AnyTransport = 1 << 8 // some transport header, whatever its protocol (`th`)
	NoProto      = 1 << 9 // the value 0 is a protocol number too (hop-by-hop)
)

// FieldInfo says how a field is written and what it implies.
type FieldInfo struct {
	name string
	Bits int
	Kind Datatype
	L3   packet.Kind // the network protocol that must be there
	L4   int         // the transport protocol that must be there, anyTransport or noProto
}

// Fields has the FieldInfo of each field.
var Fields = [NumFields]FieldInfo{
	IP4Src:         {"ip saddr", 32, TypeAddr4, packet.IPv4, NoProto},
	IP4Dst:         {"ip daddr", 32, TypeAddr4, packet.IPv4, NoProto},
	IP6Src:         {"ip6 saddr", 128, TypeAddr6, packet.IPv6, NoProto},
	IP6Dst:         {"ip6 daddr", 128, TypeAddr6, packet.IPv6, NoProto},
	IP4Protocol:    {"ip protocol", 8, TypeProtocol, packet.IPv4, NoProto},
	IP6NextHeader:  {"ip6 nexthdr", 8, TypeProtocol, packet.IPv6, NoProto},
	MetaL4Proto:    {"meta l4proto", 8, TypeProtocol, 0, NoProto},
	MetaNFProto:    {"meta nfproto", 8, TypeNFProto, 0, NoProto},
	TransportSrc:   {"th sport", 16, TypeService, 0, AnyTransport},
	TransportDst:   {"th dport", 16, TypeService, 0, AnyTransport},
	TCPFlags:       {"tcp flags", 8, TypeTCPFlags, 0, packet.ProtoTCP},
	TCPWindow:      {"tcp window", 16, TypeInteger, 0, packet.ProtoTCP},
	UDPLength:      {"udp length", 16, TypeInteger, 0, packet.ProtoUDP},
	ICMPType:       {"icmp type", 8, TypeICMP, packet.IPv4, packet.ProtoICMP},
	ICMPCode:       {"icmp code", 8, TypeICMPCode, packet.IPv4, packet.ProtoICMP},
	ICMP6Type:      {"icmpv6 type", 8, TypeICMP6, packet.IPv6, packet.ProtoICMPv6},
	ICMP6Code:      {"icmpv6 code", 8, TypeICMP6Code, packet.IPv6, packet.ProtoICMPv6},
	IP4TTL:         {"ip ttl", 8, TypeInteger, packet.IPv4, NoProto},
	IP6HopLimit:    {"ip6 hoplimit", 8, TypeInteger, packet.IPv6, NoProto},
	IP4DSCP:        {"ip dscp", 6, TypeDSCP, packet.IPv4, NoProto},
	IP6DSCP:        {"ip6 dscp", 6, TypeDSCP, packet.IPv6, NoProto},
	IP4FragOff:     {"ip frag-off", 16, TypeInteger, packet.IPv4, NoProto},
	IP4ID:          {"ip id", 16, TypeInteger, packet.IPv4, NoProto},
	IP4Length:      {"ip length", 16, TypeInteger, packet.IPv4, NoProto},
	IP6Length:      {"ip6 length", 16, TypeInteger, packet.IPv6, NoProto},
	IP6FlowLabel:   {"ip6 flowlabel", 20, TypeInteger, packet.IPv6, NoProto},
	MetaLength:     {"meta length", 32, TypeInteger, 0, NoProto},
	CTState:        {"ct state", 32, TypeCTState, 0, NoProto},
	VLANID:         {"vlan id", 12, TypeInteger, 0, NoProto},
	InIface:        {"iifname", 16, TypeIfname, 0, NoProto},
	OutIface:       {"oifname", 16, TypeIfname, 0, NoProto},
	IP6HasFragment: {"exthdr frag", 1, TypeBoolean, packet.IPv6, NoProto},

	IP4Version:      {"ip version", 4, TypeInteger, packet.IPv4, NoProto},
	IP6Version:      {"ip6 version", 4, TypeInteger, packet.IPv6, NoProto},
	IP4HeaderLength: {"ip hdrlength", 4, TypeInteger, packet.IPv4, NoProto},
	IP4ECN:          {"ip ecn", 2, TypeECN, packet.IPv4, NoProto},
	IP6ECN:          {"ip6 ecn", 2, TypeECN, packet.IPv6, NoProto},
	TCPSequence:     {"tcp sequence", 32, TypeInteger, 0, packet.ProtoTCP},
	TCPAckSeq:       {"tcp ackseq", 32, TypeInteger, 0, packet.ProtoTCP},
	TCPDataOffset:   {"tcp doff", 4, TypeInteger, 0, packet.ProtoTCP},
	TCPUrgent:       {"tcp urgptr", 16, TypeInteger, 0, packet.ProtoTCP},
	TCPChecksum:     {"tcp checksum", 16, TypeInteger, 0, packet.ProtoTCP},
	UDPChecksum:     {"udp checksum", 16, TypeInteger, 0, packet.ProtoUDP},
	ICMPID:          {"icmp id", 16, TypeInteger, packet.IPv4, packet.ProtoICMP},
	ICMPSequence:    {"icmp sequence", 16, TypeInteger, packet.IPv4, packet.ProtoICMP},
	ICMP6ID:         {"icmpv6 id", 16, TypeInteger, packet.IPv6, packet.ProtoICMPv6},
	ICMP6Sequence:   {"icmpv6 sequence", 16, TypeInteger, packet.IPv6, packet.ProtoICMPv6},
	FragNextHeader:  {"frag nexthdr", 8, TypeProtocol, packet.IPv6, NoProto},
	FragOffset:      {"frag frag-off", 13, TypeInteger, packet.IPv6, NoProto},
	FragMore:        {"frag more-fragments", 1, TypeInteger, packet.IPv6, NoProto},
	FragID:          {"frag id", 32, TypeInteger, packet.IPv6, NoProto},
	MetaProtocol:    {"meta protocol", 16, TypeEtherType, 0, NoProto},
	EtherType:       {"ether type", 16, TypeEtherType, 0, NoProto},
	EtherSrc:        {"ether saddr", 48, TypeEtherAddr, 0, NoProto},
	EtherDst:        {"ether daddr", 48, TypeEtherAddr, 0, NoProto},
	CTStatus:        {"ct status", 32, TypeCTStatus, 0, NoProto},
	CTDirection:     {"ct direction", 8, TypeCTDirection, 0, NoProto},
	CTMark:          {"ct mark", 32, TypeMark, 0, NoProto},
	MetaMark:        {"meta mark", 32, TypeMark, 0, NoProto},
	OptionMSS:       {"tcp option maxseg size", 16, TypeInteger, 0, packet.ProtoTCP},
	OptionScale:     {"tcp option window count", 8, TypeInteger, 0, packet.ProtoTCP},
	PacketType:      {"meta pkttype", 8, TypePacketType, 0, NoProto},
}

// Ethernet types of the network protocols.
const (
	EtherIPv4 = 0x0800
	EtherIPv6 = 0x86dd
)

// Bitmask reports whether values of d are flags that can be joined by commas and bars.
func (d Datatype) Bitmask() bool { return d == TypeTCPFlags || d == TypeCTState || d == TypeCTStatus }

// String returns what a person writes for a value of type d, for "expected ...".
func (d Datatype) String() string {
	return [...]string{
		"a number", "an IPv4 address", "an IPv6 address", "a protocol (tcp, udp, icmp, ipv6-icmp, sctp, gre, esp, ah or a number)",
		"a port (a number or a service name)", "ipv4 or ipv6", "TCP flags (fin, syn, rst, psh, ack, urg, ecn, cwr)",
		"an ICMP type (a name such as echo-request, or a number)", "an ICMPv6 type (a name such as echo-request, or a number)",
		"an ICMP code (a name such as port-unreachable, or a number)", "an ICMPv6 code (a name such as port-unreachable, or a number)",
		"a DSCP (cs0-cs7, af11-af43, ef, va or a number below 64)", "a ct state (new, established, related, invalid, untracked)",
		"a port's name (inside, outside or a name from the option interfaces)", "exists or missing",
		"an ECN (not-ect, ect0, ect1, ce or a number below 4)", "an Ethernet type (ip, ip6, arp, vlan, 8021q, 8021ad or a number)",
		"a packet type (host, unicast, broadcast, multicast or other)", "an Ethernet address such as 02:00:00:00:00:01",
		"a ct status (expected, seen-reply, assured, confirmed, snat, dnat, dying)", "original or reply", "a mark (a number)",
	}[d]
}
