package eve

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// AppendDrop appends an event of type drop: the header fields that Suricata logs, and why. s is the rule that asked for it, or nil.
func AppendDrop(dst []byte, p *nf.Packet, reason nf.Verdict, s *Signature, c *Context) []byte {
	dst = Begin(dst, p, "drop")
	dst = appendUint(dst, `,"drop":{"len":`, dropLen(p))
	h := p.Data
	switch p.Kind {
	case packet.IPv4:
		dst = appendUint(dst, `,"tos":`, uint64(p.TOS))
		dst = appendUint(dst, `,"ttl":`, uint64(p.TTL))
		dst = appendUint(dst, `,"ipid":`, uint64(binary.BigEndian.Uint16(h[p.L3+4:])))
	case packet.IPv6:
		dst = appendUint(dst, `,"tc":`, uint64(p.TOS))
		dst = appendUint(dst, `,"hoplimit":`, uint64(p.TTL))
		dst = appendUint(dst, `,"flowlbl":`, uint64(binary.BigEndian.Uint32(h[p.L3:])&0xfffff))
	}
	if p.HasL4 {
		dst = dropTransport(dst, p, h[p.L4:])
	}
	dst = append(dst, `,"reason":"`...)
	dst = append(dst, reason.String()...)
	dst = append(dst, '"', '}')
	if s != nil {
		dst = s.append(dst, true)
	}
	return End(c.append(dst))
}

func dropLen(p *nf.Packet) uint64 {
	if p.Kind == packet.NotIP {
		return uint64(p.Wire)
	}
	return uint64(p.IPLen)
}

// dropTransport: h starts with a whole TCP, UDP or SCTP header, or the first four bytes of an ICMP one.
func dropTransport(dst []byte, p *nf.Packet, h []byte) []byte {
	switch p.Proto {
	case packet.ProtoTCP:
		dst = appendUint(dst, `,"tcpseq":`, uint64(binary.BigEndian.Uint32(h[4:])))
		dst = appendUint(dst, `,"tcpack":`, uint64(binary.BigEndian.Uint32(h[8:])))
		dst = appendUint(dst, `,"tcpwin":`, uint64(binary.BigEndian.Uint16(h[14:])))
		dst = appendBool(dst, `,"syn":`, p.TCPFlags&packet.SYN != 0)
		dst = appendBool(dst, `,"ack":`, p.TCPFlags&packet.ACK != 0)
		dst = appendBool(dst, `,"psh":`, p.TCPFlags&packet.PSH != 0)
		dst = appendBool(dst, `,"rst":`, p.TCPFlags&packet.RST != 0)
		dst = appendBool(dst, `,"urg":`, p.TCPFlags&packet.URG != 0)
		dst = appendBool(dst, `,"fin":`, p.TCPFlags&packet.FIN != 0)
		dst = appendUint(dst, `,"tcpres":`, uint64(h[12]&15))
		dst = appendUint(dst, `,"tcpurgp":`, uint64(binary.BigEndian.Uint16(h[18:])))
	case packet.ProtoUDP:
		dst = appendUint(dst, `,"udplen":`, uint64(binary.BigEndian.Uint16(h[4:])))
	case packet.ProtoICMP, packet.ProtoICMPv6:
		if len(h) >= 8 {
			dst = appendUint(dst, `,"icmp_id":`, uint64(binary.BigEndian.Uint16(h[4:])))
			dst = appendUint(dst, `,"icmp_seq":`, uint64(binary.BigEndian.Uint16(h[6:])))
		}
	}
	return dst
}
