package detect

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// Type says when a signature is tried, and what a drop or pass of it is about.
type Type uint8

// Types, after Suricata's.
const (
	IPOnly   Type = iota // addresses and protocol alone: once a direction of a flow
	IPPacket             // the same, with an address behind a '!': each packet
	OfPacket             // each packet
	OfStream             // payload: streams, and packets where there is no stream
	AppOnly              // app-layer-protocol alone: once a direction, when the protocol is known
	OfApp                // the application protocol is known, nothing else is asked: each packet
	OfTx                 // transactions
)

// Signature is a compiled rule.
type Signature struct {
	Rule    *rule.Rule
	Type    Type
	Event   eve.Signature
	Matches uint64 // matches that count, for the report
	Bytes   uint64
	Work    Work
	sent    [2]uint64 // of Matches and Bytes, what others know
	told    Work      // and of Work
	counted bool      // listed in Engine.counted
	num     uint32
	protos  uint8 // bits of protoTCP...
	kinds   uint8 // bit 0 IPv4, bit 1 IPv6
	dirs    [2]bool
	payload []item // over packet payload or stream; nil if none
	packet  bool   // the payload of packets is looked at even where the stream has it
	stream  bool   // the stream is looked at
	headers []section
	tx      []section
	bits    []bitOp
	ints    []intOp
	xbits   []xbitOp
	limit   int32 // index of threshold state, -1
	filter  int32
	fastAt  int // section of tx whose prefilter finds it; -1 payload; -2 none
}

// section is a compiled rule.Section.
type section struct {
	buffer     rule.Buffer
	transforms []rule.Transform
	chain      int // index of the engine's transform chains; 0 none
	items      []item
	absent     bool
	orAbsent   bool
	sides      rule.Sides
}

// Protocols as bits.
const (
	protoTCP uint8 = 1 << iota
	protoUDP
	protoICMP
	protoICMPv6
	protoOther
	protoAll = protoTCP | protoUDP | protoICMP | protoICMPv6 | protoOther
)

func protoBit(p uint8) uint8 {
	switch p {
	case packet.ProtoTCP:
		return protoTCP
	case packet.ProtoUDP:
		return protoUDP
	case packet.ProtoICMP:
		return protoICMP
	case packet.ProtoICMPv6:
		return protoICMPv6
	}
	return protoOther
}

func (s *Signature) setProtos() {
	s.kinds = 3
	switch s.Rule.Proto {
	case rule.IP:
		s.protos = protoAll
	case rule.IPv4:
		s.protos, s.kinds = protoAll, 1
	case rule.IPv6:
		s.protos, s.kinds = protoAll, 2
	case rule.TCP, rule.TCPPacket, rule.TCPStream, rule.HTTP, rule.TLS, rule.FTP, rule.SMTP, rule.SMB, rule.SSH:
		s.protos = protoTCP
	case rule.UDP:
		s.protos = protoUDP
	case rule.ICMP:
		s.protos = protoICMP | protoICMPv6
	case rule.ICMPv6:
		s.protos = protoICMPv6
	case rule.DNS:
		s.protos = protoTCP | protoUDP
	}
}

// header reports whether the packet's addresses, ports and protocol are the signature's.
func (s *Signature) header(p *Packet) bool {
	in := p.Info
	if s.protos&protoBit(in.Proto) == 0 || s.kinds&kindBit(in.Kind) == 0 {
		return false
	}
	r := s.Rule
	if s.ends(r.Src, r.Dst, r.SrcPort, r.DstPort, p) {
		return true
	}
	return r.Both && s.ends(r.Dst, r.Src, r.DstPort, r.SrcPort, p)
}

func kindBit(k packet.Kind) uint8 {
	switch k {
	case packet.IPv4:
		return 1
	case packet.IPv6:
		return 2
	}
	return 0
}

func (s *Signature) ends(src, dst *rule.Addresses, sport, dport *rule.Ports, p *Packet) bool {
	in := p.Info
	if in.HasPorts && !in.Frag {
		if !sport.Contains(in.SrcPort) || !dport.Contains(in.DstPort) {
			return false
		}
	} else if (in.Proto == packet.ProtoTCP || in.Proto == packet.ProtoUDP || in.Proto == packet.ProtoSCTP) && !(sport.Any && dport.Any) {
		return false
	}
	return src.Contains(p.Src) && dst.Contains(p.Dst)
}

// flow reports whether the keyword flow holds.
func (s *Signature) flow(p *Packet) bool {
	f := &s.Rule.Flow
	if *f == (rule.Flow{}) {
		return true
	}
	if f.OnlyFrag && !p.Info.Frag || f.NoFrag && p.Info.Frag {
		return false
	}
	if !p.HasFlow {
		return false
	}
	switch {
	case f.ToServer && p.Dir != proto.ToServer, f.ToClient && p.Dir != proto.ToClient,
		f.Established && !p.Established, f.NotEstablished && p.Established:
		return false
	}
	return true
}

// flowAction reports whether a drop or pass of the signature is about the flow, not the packet alone.
func (s *Signature) flowAction(stream bool) bool {
	switch s.Type {
	case IPOnly, IPPacket, AppOnly, OfApp, OfTx:
		return true
	case OfStream:
		return stream
	}
	return false
}

// StreamAlone reports whether the signature looks at streams and transactions, so that it does not matter how their bytes
// were cut into packets.
func (s *Signature) StreamAlone() bool {
	return (s.Type == OfTx || s.Type == OfStream) && !s.packet && !s.Rule.NeedPacket
}
