package packet

// Kind says what the network layer of a frame is.
type Kind uint8

// Network layers.
const (
	NotIP Kind = iota // no IP header was found, whatever the frame is
	IPv4
	IPv6
)

// Problem is the first thing wrong with a packet's headers, or OK.
type Problem uint8

// Problems, in the order in which Parse meets them.
const (
	OK              Problem = iota
	ShortEthernet           // no room for an Ethernet header and the tags and labels behind it
	ShortIP                 // no room for an IP header
	BadIPVersion            // the version nibble contradicts the EtherType
	BadIPHeaderLen          // IPv4 header length below 20 or past the datagram
	BadIPLength             // the length field is below the headers or past the frame
	BadExtension            // an IPv6 extension header is cut short or the chain is longer than MaxExtensions
	ShortTransport          // TCP, UDP or ICMP header cut short
	BadTransportLen         // TCP data offset or UDP length contradicts the datagram
	NumProblems
)

var problemNames = [NumProblems]string{
	"ok", "short_ethernet", "short_ip", "bad_ip_version", "bad_ip_header_length", "bad_ip_length", "bad_ip6_extension",
	"short_transport", "bad_transport_length",
}

// String returns the name of p as it stands in metrics.
func (p Problem) String() string {
	if p < NumProblems {
		return problemNames[p]
	}
	return "unknown"
}

// IP protocol numbers that the gateway or its functions look into (IANA "Assigned Internet Protocol Numbers").
const (
	ProtoHopByHop = 0
	ProtoICMP     = 1
	ProtoIGMP     = 2
	ProtoTCP      = 6
	ProtoUDP      = 17
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoGRE      = 47
	ProtoESP      = 50
	ProtoAH       = 51
	ProtoICMPv6   = 58
	ProtoNoNext   = 59
	ProtoDstOpts  = 60
	ProtoSCTP     = 132
	ProtoMobility = 135
	ProtoUDPLite  = 136
)

// TCP flags, byte 13 of the TCP header (RFC 9293 section 3.1).
const (
	FIN uint8 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// MaxExtensions is how many IPv6 extension headers Parse walks before it calls the chain broken.
const MaxExtensions = 16

// Info is what one pass over a frame finds. Offsets count from the frame's first byte; they fit 16 bits because headers
// that start later than 64 KiB are a Problem. The frame itself is not kept.
type Info struct {
	Kind      Kind
	Problem   Problem
	VLANs     uint8 // number of VLAN tags; from 255 on it is 255
	Proto     uint8 // upper-layer protocol after extension headers
	TTL       uint8 // IPv4 TTL or IPv6 hop limit
	TOS       uint8 // IPv4 TOS or IPv6 traffic class
	TCPFlags  uint8 // 0 unless TCP with a whole header
	ICMPType  uint8 // valid if HasL4 and Proto is ICMP or ICMPv6
	ICMPCode  uint8
	Frag      bool // more-fragments set, offset non-zero, or IPv6 fragment header
	FirstFrag bool // Frag with offset 0
	MoreFrags bool
	HasL4     bool      // L4 points to a transport header: whole TCP (20+), UDP, ICMP header of a whole packet or first fragment
	HasPorts  bool      // at least the four bytes of both ports are there, even if the header behind is cut short
	Learned   bool      // SrcPort and DstPort are those of the datagram's first fragment; of an ICMP query both are its identifier
	EtherType uint16    // behind tags, labels, LLC and PPPoE, as far as they could be looked behind
	VLAN      [2]uint16 // tag control information of the two outermost tags
	Stack     uint32    // mixed from the tags behind those two and PPPoE sessions; 0 where there are none
	L3        uint16    // network header
	L4        uint16    // transport header, or where it would be; 0 if unknown
	Payload   uint16    // first byte behind all headers parsed
	FragOff   uint16    // bytes
	fragment  uint16    // IPv6 fragment header
	SrcPort   uint16    // 0 unless HasPorts or Learned
	DstPort   uint16
	End       uint32 // end of the datagram by its length field, at most the length on the wire
	IPLen     uint32 // datagram length by its length field, from the network header on: what nft counts
}

// PayloadLen returns the number of payload bytes of the datagram, carried or not.
func (in *Info) PayloadLen() int {
	if in.End <= uint32(in.Payload) {
		return 0
	}
	return int(in.End) - int(in.Payload)
}

// L4Len returns the number of bytes from the transport header to the datagram's end, carried or not.
func (in *Info) L4Len() int {
	if in.L4 == 0 || in.End <= uint32(in.L4) {
		return 0
	}
	return int(in.End) - int(in.L4)
}

// Src returns the source address within frame: 4 or 16 bytes, nil unless IP.
func (in *Info) Src(frame []byte) []byte {
	switch in.Kind {
	case IPv4:
		return frame[in.L3+12 : in.L3+16 : in.L3+16]
	case IPv6:
		return frame[in.L3+8 : in.L3+24 : in.L3+24]
	}
	return nil
}

// Dst returns the destination address within frame: 4 or 16 bytes, nil unless IP.
func (in *Info) Dst(frame []byte) []byte {
	switch in.Kind {
	case IPv4:
		return frame[in.L3+16 : in.L3+20 : in.L3+20]
	case IPv6:
		return frame[in.L3+24 : in.L3+40 : in.L3+40]
	}
	return nil
}

// Bytes returns the carried part of the payload, cut at the datagram's end (Ethernet padding is not payload).
func (in *Info) Bytes(frame []byte) []byte {
	end := min(int(in.End), len(frame))
	if int(in.Payload) >= end {
		return nil
	}
	return frame[in.Payload:end:end]
}
