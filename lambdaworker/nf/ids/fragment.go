package ids

import (
	"encoding/binary"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// touch says that the state of a flow is another now, unless that comes from outside of a batch.
func (n *IDS) touch(flow uint32) {
	if n.b != nil {
		n.b.Touch(flow)
	}
}

// fragment inspects n.p, a fragment that is within depth other packets: by itself, with nothing behind its network header and no
// flow, and the whole datagram once it is complete.
func (n *IDS) fragment(depth int) {
	p := n.p
	n.view(p)
	n.v.Payload, n.v.Wire = nil, 0
	n.bare = p.Info
	n.bare.HasL4, n.bare.HasPorts = false, false
	if p.Kind == packet.IPv6 {
		n.bare.Proto = packet.ProtoFragment
		n.bare.L4 = p.L3 + 40
		n.bare.Payload = n.bare.L4
	}
	n.v.Info = &n.bare
	n.startPacket(nf.NoFlow)
	n.v.First = true
	n.inspect(nf.NoFlow)
	frame, info, ok := n.frags.Add(p.Flow, &p.Info, p.Data, p.Time)
	if !ok || n.b.Verdicts[n.i] != nf.Pass {
		return
	}
	n.stats.Reassembled++
	q := &n.nested[2*depth]
	*q = nf.Packet{Info: *info, Data: frame, Wire: uint32(len(frame)), From: p.From, Time: p.Time, Number: p.Number, Flow: nf.NoFlow}
	n.enter(q, depth)
	n.p = p
}

// atomic reports whether a fragment header cuts nothing (RFC 6946).
func atomic(in *packet.Info) bool {
	return in.Kind == packet.IPv6 && in.FragOff == 0 && !in.MoreFrags
}

// unfragmented inspects n.p, an atomic fragment, as what it is: a whole datagram.
func (n *IDS) unfragmented(depth int) {
	p := n.p
	q := &n.nested[2*depth]
	*q = *p
	q.Frag, q.FirstFrag = false, false
	if q.HasL4 && q.Proto == packet.ProtoUDP {
		if size := uint32(binary.BigEndian.Uint16(q.Data[q.L4+4:])); size >= 8 && uint32(q.L4)+size <= q.End {
			q.End = uint32(q.L4) + size
		}
	}
	n.enter(q, depth)
	n.p = p
}
