package packet

import "encoding/binary"

// Parse fills in from one pass over frame, whose length on the wire is wire (at least len(frame)). A packet with a
// Problem keeps what was found before it: Kind is set as soon as a whole IP header is there.
func Parse(frame []byte, wire int, in *Info) {
	*in = Info{}
	wire = max(wire, len(frame)) // captures exist whose records claim less
	in.End = uint32(wire)
	if len(frame) < 14 {
		in.Problem = ShortEthernet
		return
	}
	if !in.link(frame, binary.BigEndian.Uint16(frame[12:]), 14) {
		in.Problem = ShortEthernet
	}
	in.Payload = in.L3
	in.network(frame, wire)
}

// network reads the IP header at L3, if there is one.
func (in *Info) network(frame []byte, wire int) {
	switch {
	case in.Problem != OK:
	case in.EtherType == EtherIPv4:
		in.ipv4(frame, wire)
	case in.EtherType == EtherIPv6:
		in.ipv6(frame, wire)
	}
}

// ipv4 reads the header of RFC 791 section 3.1:
//
//	 0               1               2               3
//	|Version|  IHL  |Type of Service|          Total Length         |
//	|         Identification        |Flags|      Fragment Offset    |
//	|  Time to Live |    Protocol   |         Header Checksum       |
//	|                         Source Address                        |
//	|                      Destination Address                      |
func (in *Info) ipv4(frame []byte, wire int) {
	off := int(in.L3)
	if len(frame) < off+20 {
		in.Problem = ShortIP
		return
	}
	h := frame[off : off+20]
	if h[0]>>4 != 4 {
		in.Problem = BadIPVersion
		return
	}
	in.Kind = IPv4
	ihl := int(h[0]&15) * 4
	total := int(binary.BigEndian.Uint16(h[2:]))
	in.TOS, in.TTL, in.Proto = h[1], h[8], h[9]
	in.IPLen = uint32(total)
	in.Payload = uint16(off + 20)
	if ihl < 20 || off+ihl > wire {
		in.Problem = BadIPHeaderLen
		return
	}
	if total < ihl || off+total > wire {
		in.Problem = BadIPLength
		return
	}
	in.End = uint32(off + total)
	fr := binary.BigEndian.Uint16(h[6:])
	in.FragOff = fr & 0x1fff * 8
	in.MoreFrags = fr&0x2000 != 0
	in.Frag = in.MoreFrags || in.FragOff != 0
	in.FirstFrag = in.Frag && in.FragOff == 0
	in.L4 = uint16(off + ihl)
	in.Payload = in.L4
	in.transport(frame)
}

// ipv6 reads the header of RFC 8200 section 3 and walks its extension headers (section 4).
func (in *Info) ipv6(frame []byte, wire int) {
	off := int(in.L3)
	if len(frame) < off+40 {
		in.Problem = ShortIP
		return
	}
	h := frame[off : off+40]
	if h[0]>>4 != 6 {
		in.Problem = BadIPVersion
		return
	}
	in.Kind = IPv6
	in.TOS = h[0]<<4 | h[1]>>4
	in.TTL = h[7]
	in.Proto = h[6]
	plen := int(binary.BigEndian.Uint16(h[4:]))
	in.IPLen = uint32(40 + plen)
	in.Payload = uint16(off + 40)
	if plen == 0 && in.Proto == ProtoHopByHop {
		// A jumbogram (RFC 2675) carries its length in an option; the frame says as much and can't lie about itself.
		plen = wire - off - 40
		in.IPLen = uint32(40 + plen)
	}
	if off+40+plen > wire {
		in.Problem = BadIPLength
		return
	}
	in.End = uint32(off + 40 + plen)
	in.extensions(frame, off+40)
}

func (in *Info) extensions(frame []byte, p int) {
	end := min(int(in.End), len(frame))
	for n := 0; ; n++ {
		var size int
		switch in.Proto {
		case ProtoHopByHop, ProtoRouting, ProtoDstOpts, ProtoMobility:
			if p+8 > end || n == MaxExtensions {
				in.Problem = BadExtension
				return
			}
			size = 8 + int(frame[p+1])*8
		case ProtoAH:
			if p+8 > end || n == MaxExtensions {
				in.Problem = BadExtension
				return
			}
			size = 8 + int(frame[p+1])*4
		case ProtoFragment:
			if p+8 > end || n == MaxExtensions || in.Frag { // one in another: nobody makes them, and hosts differ about them
				in.Problem = BadExtension
				return
			}
			size = 8
			fr := binary.BigEndian.Uint16(frame[p+2:])
			in.FragOff = fr &^ 7
			in.fragment = uint16(p)
			in.MoreFrags = fr&1 != 0
			in.Frag = true
			in.FirstFrag = in.FragOff == 0
		default:
			in.L4 = uint16(p)
			in.Payload = in.L4
			in.transport(frame)
			return
		}
		if p+size > int(in.End) || p+size > 0xffff {
			in.Problem = BadExtension
			return
		}
		proto := in.Proto
		in.Proto = frame[p]
		p += size
		in.Payload = uint16(p)
		if proto == ProtoFragment && !in.FirstFrag {
			in.L4 = uint16(p) // what follows is data of a later fragment, whatever the next-header byte says
			return
		}
	}
}

func (in *Info) transport(frame []byte) {
	if in.FragOff != 0 {
		return
	}
	p := int(in.L4)
	end := min(int(in.End), len(frame))
	have := end - p
	switch in.Proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP, ProtoUDPLite:
		if have < 4 {
			in.Problem = ShortTransport
			return
		}
		in.SrcPort = binary.BigEndian.Uint16(frame[p:])
		in.DstPort = binary.BigEndian.Uint16(frame[p+2:])
		in.HasPorts = true
	}
	switch in.Proto {
	case ProtoTCP:
		if have < 20 {
			in.Problem = ShortTransport
			return
		}
		size := int(frame[p+12]>>4) * 4
		if size < 20 || p+size > int(in.End) {
			in.Problem = BadTransportLen
			return
		}
		in.TCPFlags = frame[p+13]
		in.HasL4 = true
		in.Payload = uint16(min(p+size, 0xffff))
	case ProtoUDP, ProtoUDPLite:
		if have < 8 {
			in.Problem = ShortTransport
			return
		}
		n := int(binary.BigEndian.Uint16(frame[p+4:]))
		if in.Proto == ProtoUDP && n != 0 && (n < 8 || !in.Frag && p+n > int(in.End)) {
			in.Problem = BadTransportLen
			return
		}
		in.HasL4 = true
		in.Payload = uint16(p + 8)
		if in.Proto == ProtoUDP && n >= 8 && !in.Frag {
			in.End = uint32(p + n) // bytes behind the UDP datagram are not its payload
		}
	case ProtoSCTP:
		if have < 12 {
			in.Problem = ShortTransport
			return
		}
		in.HasL4 = true
		in.Payload = uint16(p + 12)
	case ProtoICMP, ProtoICMPv6:
		if have < 4 {
			in.Problem = ShortTransport
			return
		}
		in.ICMPType, in.ICMPCode = frame[p], frame[p+1]
		in.HasL4 = true
		in.Payload = uint16(min(p+8, end))
	}
}
