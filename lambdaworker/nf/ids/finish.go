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
	var fresh [2]bool
	for _, d := range [2]dir{toServer, toClient} {
		n.p = last
		n.p = n.pseudo.packet(n, handle, d)
		n.p.Time = now
		n.view(n.p)
		n.show(handle, f)
		n.v.Dir, n.v.Pseudo = d, true
		n.v.Established, n.v.InStream = true, true
		if d == toServer {
			fresh[toServer] = n.drain(handle, f, toServer)
			fresh[toClient] = n.drain(handle, f, toClient)
		}
		if f.dropped || f.passed {
			break
		}
		n.v.App, n.v.Fresh = apps[f.app.Proto], fresh[d]
		n.know(f)
		n.raw(handle, d)
		n.inspect(handle)
		n.looked(handle, d)
	}
	n.p = last
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
		n.finish(uint32(i), f, b.Now)
	}
}
