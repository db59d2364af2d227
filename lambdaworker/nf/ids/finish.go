package ids

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

type dir = proto.Dir

const (
	toServer = proto.ToServer
	toClient = proto.ToClient
	protoUDP = packet.ProtoUDP
)

// finish inspects what still waits in a TCP flow that is at its end.
func (n *IDS) finish(handle uint32, f *flow, now int64) {
	n.streams.Flush(handle)
	last := n.p
	for again := true; again; again = f.tunnel && n.leaveTunnel(handle, f) {
		n.aside(handle, f, toServer, now)
		var fresh [2]bool
		fresh[toServer] = n.drain(handle, f, toServer)
		fresh[toClient] = n.drain(handle, f, toClient)
		n.lookAside(handle, f, now, fresh)
	}
	n.p = last
}

// aside puts a packet in hand that nobody sent, of a flow and direction: something is to be inspected that no packet brought.
func (n *IDS) aside(handle uint32, f *flow, d dir, now int64) {
	n.p = n.pseudo.packet(n, handle, d)
	n.p.Time = now
	n.view(n.p)
	n.show(handle, f)
	n.v.Dir, n.v.Pseudo = d, true
	n.v.Established, n.v.InStream, n.v.App = true, true, apps[f.app.Proto]
}

// lookAside inspects both directions of a TCP flow without a packet. fresh says in which of them bytes came to light.
func (n *IDS) lookAside(handle uint32, f *flow, now int64, fresh [2]bool) {
	for _, d := range [2]dir{toServer, toClient} {
		if f.dropped || f.passed {
			return
		}
		n.aside(handle, f, d, now)
		n.v.Fresh = fresh[d]
		n.know(f)
		n.raw(handle, d)
		n.inspect(handle)
		n.looked(handle, d)
	}
}

// Flush implements nf.Flusher: no packet will come any more, so all flows are at their end.
func (n *IDS) Flush(b *nf.Batch) {
	n.b = b
	end := nf.Packet{Time: b.Now}
	for i := range n.flows {
		f := &n.flows[i]
		if !f.tracked || f.closed || f.dropped || f.passed {
			continue
		}
		n.last = end
		n.p = &n.last
		n.engine.StartBatch()
		n.startPacket(uint32(i))
		n.finish(uint32(i), f, b.Now)
	}
}
