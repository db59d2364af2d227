package ids

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/decap"
)

// maxNested is how many packets may be within one another. Suricata gives up behind 16 headers, which is earlier.
const maxNested = 8

// look inspects n.p, which is within depth other packets, and what it carries.
func (n *IDS) look(depth int) {
	switch {
	case !n.p.Frag:
		q := n.carried(depth)
		n.packet(n.p.Flow, q != nil)
		if q != nil && n.b.Verdicts[n.i] == nf.Pass {
			p := n.p
			n.enter(q, depth+1)
			n.p = p
		}
	case atomic(&n.p.Info):
		n.unfragmented(depth)
	default:
		n.fragment(depth)
	}
}

// carried returns the packet that n.p carries if it is a tunnel's, nil otherwise. It has a flow of its own: the VLAN tags around the
// tunnel are part of that flow's key, its endpoints are not.
func (n *IDS) carried(depth int) *nf.Packet {
	p := n.p
	et, at, ok := decap.Inner(&p.Info, p.Data)
	if !ok || depth+1 >= maxNested {
		return nil
	}
	q := &n.nested[2*depth+1]
	*q = nf.Packet{Data: p.Data, From: p.From, Time: p.Time, Number: p.Number, Flow: nf.NoFlow}
	if !packet.ParseInner(p.Data, &p.Info, et, at, &q.Info) {
		return nil
	}
	n.stats.Carried++
	q.Wire = q.IPLen
	return q
}

// enter goes on with q, which another packet was made of or which it carries.
func (n *IDS) enter(q *nf.Packet, depth int) {
	if q.Kind == packet.NotIP || q.Problem != packet.OK && q.Problem <= packet.BadIPLength {
		return
	}
	q.Reverse = q.Info.Key(q.Data, &q.Key)
	q.Flow, q.NewFlow = n.b.Flows.Get((*[6]uint64)(&q.Key), q.Time)
	n.b.SetSub(q.Flow, n.b.Packets[n.i].Sub) // state moves with the sub-flow of the packet that came
	n.p = q
	n.look(depth)
}
