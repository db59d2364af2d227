package match

import (
	"github.com/granule-nf/granule/ingress/packet"
)

func (p *parser) linkType(t uint32) test { return equal(p.layer.linkType, 2, t) }

// isProtocol asks for a protocol as its keyword does.
func (p *parser) isProtocol(w protocolWord) test {
	switch w.layer {
	case ip:
		return p.linkType(packet.EtherIPv4)
	case ip6:
		return p.linkType(packet.EtherIPv6)
	case arp:
		return p.linkType(packet.EtherARP)
	case rarp:
		return p.linkType(0x8035)
	case overIP:
		return p.overIPv4(uint32(w.number))
	case overIP6:
		return p.overIPv6(uint32(w.number))
	}
	return p.overEither(uint32(w.number))
}

func (p *parser) overIPv4(n uint32) test {
	return both{p.linkType(packet.EtherIPv4), equal(p.layer.payload+9, 1, n)}
}

// overIPv6 also looks behind a fragment header, and behind no other.
func (p *parser) overIPv6(n uint32) test {
	l := p.layer.payload
	return both{p.linkType(packet.EtherIPv6), either{
		equal(l+6, 1, n),
		both{equal(l+6, 1, packet.ProtoFragment), equal(l+40, 1, n)},
	}}
}

func (p *parser) overEither(n uint32) test { return either{p.overIPv4(n), p.overIPv6(n)} }

// protoNumber is `proto N` with what stood before it.
func (p *parser) protoNumber(t token, q qualifiers) test {
	names := protocolNumbers
	if q.proto.layer == ether {
		names = etherTypes
	}
	n, ok := uint32(0), false
	switch t.kind {
	case tokenNumber:
		n, ok = number(t.text)
	case tokenWord:
		n, ok = names[t.text]
	}
	switch {
	case q.dir != srcOrDst:
		p.fail(t, "found a direction before `proto`; expected none: a protocol has no ends")
	case !ok:
		p.fail(t, "found %s; expected a protocol's number or name (%s)", t, someNames(names))
	case q.proto.layer == ether && n <= 1500:
		p.fail(t, "found the Ethernet type %s; expected more than 1500: frames of the older, length-counted kind never reach a chain", t)
	case q.proto.layer == ether && n <= 0xffff:
		return p.linkType(n)
	case n > 255:
		p.fail(t, "found the protocol %s; expected 0 to 255", t)
	case q.protoWord == "":
		return p.overEither(n)
	case q.proto.layer == ip:
		return p.overIPv4(n)
	case q.proto.layer == ip6:
		return p.overIPv6(n)
	default:
		p.fail(t, "found `%s proto`; expected `proto`, `ip proto`, `ip6 proto` or `ether proto`", q.protoWord)
	}
	return nil
}
