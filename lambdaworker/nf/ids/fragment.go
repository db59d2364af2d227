package ids

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// touch says that the state of a flow is another now, unless that comes from outside of a batch.
func (n *IDS) touch(flow uint32) {
	if n.b != nil {
		n.b.Touch(flow)
	}
}

// fragment inspects n.p, a fragment: by itself, with no payload and no flow, and the whole datagram once it is complete.
func (n *IDS) fragment() {
	p := n.p
	n.view(p)
	n.startPacket(nf.NoFlow)
	n.v.First = true
	n.inspect(nf.NoFlow)
	frame, info, ok := n.frags.Add(p.Flow, &p.Info, p.Data, p.Time)
	if !ok || n.b.Verdicts[n.i] != nf.Pass {
		return
	}
	n.stats.Reassembled++
	whole := nf.Packet{Info: *info, Data: frame, Wire: uint32(len(frame)), From: p.From, Time: p.Time, Number: p.Number, Flow: nf.NoFlow}
	if whole.Kind == packet.NotIP || whole.Problem != packet.OK && whole.Problem <= packet.BadIPLength {
		return
	}
	whole.Reverse = whole.Info.Key(frame, &whole.Key)
	whole.Flow, whole.NewFlow = n.b.Flows.Get((*[6]uint64)(&whole.Key), p.Time)
	n.b.SetSub(whole.Flow, p.Sub)
	n.whole = whole // a field, for it must not be allocated
	n.p = &n.whole
	n.packet(whole.Flow)
	n.p = p
}
