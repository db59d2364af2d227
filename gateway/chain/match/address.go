package match

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/granule-nf/granule/ingress/packet"
)

// address is a host or net with what stood before it.
func (p *parser) address(t token, q qualifiers) test {
	switch t.kind {
	case tokenMAC:
		return p.mac(t, q)
	case tokenSix:
		return p.address6(t, q)
	case tokenNumber, tokenQuad:
		return p.address4(t, q)
	}
	p.fail(t, "found the name %s; expected %s: names are not looked up, since what they mean may change while flows run", t, wanted[q.addr])
	return nil
}

// address4 reads the forms of libpcap: 10.1.2.3, 10.1 (which stands for 10.1.0.0/16), 10 (the same by `net` alone), with a
// prefix length or a mask behind.
func (p *parser) address4(t token, q qualifiers) test {
	v, bits, ok := quad(t)
	if !ok {
		p.fail(t, "found %s; expected four numbers of 0 to 255 with dots between", t)
		return nil
	}
	mask := ^uint32(0)
	switch {
	case p.skip("/"):
		l := p.take()
		n, ok := number(l.text)
		if l.kind != tokenNumber || !ok || n > 32 {
			p.fail(l, "found the prefix length %s; expected 0 to 32", l)
			return nil
		}
		v <<= 32 - bits
		return p.masked4(t, q, v, ^uint32(0)<<(32-n))
	case p.skip("mask"):
		m := p.take()
		mv, mbits, ok := quad(m)
		if !ok || m.kind != tokenQuad {
			p.fail(m, "found %s; expected a mask, such as 255.255.0.0", m)
			return nil
		}
		return p.masked4(t, q, v<<(32-bits), mv<<(32-mbits))
	case t.kind == tokenQuad:
		v <<= 32 - bits
		mask <<= 32 - bits
	case q.addr == netAddress:
		for v != 0 && v&0xff000000 == 0 {
			v <<= 8
			mask <<= 8
		}
	}
	return p.pair4(t, q, v, mask)
}

func (p *parser) masked4(t token, q qualifiers, v, mask uint32) test {
	if v&^mask != 0 {
		fit := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v&mask)))
		p.fail(t, "found bits beyond the mask in %s; expected %s", t, fit)
		return nil
	}
	if q.said && q.addr == hostAddress {
		p.fail(t, "found a prefix behind `host`; expected `net` before it")
		return nil
	}
	return p.pair4(t, q, v, mask)
}

// pair4 asks about the source, the destination or both, in the headers that q speaks of.
func (p *parser) pair4(t token, q qualifiers, v, mask uint32) test {
	l := p.layer.payload
	at := func(link, source, destination uint32) test {
		return both{p.linkType(link), ends(q.dir, field{l + source, 4, mask, v, v}, field{l + destination, 4, mask, v, v})}
	}
	switch {
	case q.protoWord == "":
		return anyOf(at(packet.EtherIPv4, 12, 16), at(packet.EtherARP, 14, 24), at(0x8035, 14, 24))
	case q.proto.layer == ip:
		return at(packet.EtherIPv4, 12, 16)
	case q.proto.layer == arp:
		return at(packet.EtherARP, 14, 24)
	case q.proto.layer == rarp:
		return at(0x8035, 14, 24)
	}
	p.wrongFamily(t, q, "ip")
	return nil
}

func (p *parser) address6(t token, q qualifiers) test {
	a, err := netip.ParseAddr(t.text)
	if err != nil {
		p.fail(t, "found %s; expected an IPv6 address", t)
		return nil
	}
	bits := 128
	if p.skip("/") {
		l := p.take()
		n, ok := number(l.text)
		if l.kind != tokenNumber || !ok || n > 128 {
			p.fail(l, "found the prefix length %s; expected 0 to 128", l)
			return nil
		}
		bits = int(n)
		if q.said && q.addr == hostAddress && bits < 128 {
			p.fail(t, "found a prefix behind `host`; expected `net` before it")
			return nil
		}
	}
	prefix := netip.PrefixFrom(a, bits).Masked()
	if prefix.Addr() != a {
		p.fail(t, "found bits beyond the prefix in %s; expected %s", t, prefix.Addr())
		return nil
	}
	if q.protoWord != "" && q.proto.layer != ip6 {
		p.wrongFamily(t, q, "ip6")
		return nil
	}
	value := a.As16()
	mask := make([]byte, 16)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	n := (bits + 7) / 8 // no byte behind the prefix has to be there
	l := p.layer.payload
	return both{p.linkType(packet.EtherIPv6), ends(q.dir, bytesAt{l + 8, value[:n], mask[:n]}, bytesAt{l + 24, value[:n], mask[:n]})}
}

func (p *parser) mac(t token, q qualifiers) test {
	if q.proto.layer != ether || q.addr != hostAddress {
		p.fail(t, "found the Ethernet address %s; expected `ether host`, `ether src` or `ether dst` before it", t)
		return nil
	}
	var v []byte
	for _, part := range strings.FieldsFunc(t.text, func(r rune) bool { return r == ':' || r == '-' || r == '.' }) {
		b, err := strconv.ParseUint(part, 16, 8)
		if err != nil {
			p.fail(t, "found %s; expected six bytes in hexadecimal", t)
			return nil
		}
		v = append(v, byte(b))
	}
	all := []byte{255, 255, 255, 255, 255, 255}
	return ends(q.dir, bytesAt{6, v, all}, bytesAt{0, v, all})
}

func (p *parser) wrongFamily(t token, q qualifiers, family string) {
	if q.proto.layer == ether {
		p.fail(t, "found %s behind `ether`; expected an Ethernet address, such as 02:00:00:00:00:01", t)
		return
	}
	p.fail(t, "found %s behind %q; expected %q, or nothing, before an address: write `%s and host %s`", t, q.protoWord, family, q.protoWord, t.text)
}

// quad reads up to four numbers with dots between; bits is how many bits they fill.
func quad(t token) (v uint32, bits uint32, ok bool) {
	if t.kind == tokenNumber {
		v, ok = number(t.text)
		return v, 32, ok
	}
	if t.kind != tokenQuad {
		return 0, 0, false
	}
	for s := range strings.SplitSeq(t.text, ".") {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return 0, 0, false
		}
		v, bits = v<<8|uint32(n), bits+8
	}
	return v, bits, true
}
