package ids

import "github.com/granule-nf/granule/lambdaworker/nf/ids/proto"

// tunnel goes on behind a proxy's agreement to a CONNECT: the transaction is inspected in both directions, and what the tunnel carries is
// another protocol, to be found out anew. n.p, a packet of direction d, brought the agreement to light.
func (n *IDS) tunnel(handle uint32, f *flow, d dir) {
	p, v := n.p, n.v
	var fresh [2]bool
	for f.tunnel {
		n.lookAside(handle, f, p.Time, fresh)
		n.p, n.v = p, v
		if !n.leaveTunnel(handle, f) {
			break
		}
		fresh[toServer] = n.drain(handle, f, toServer)
		fresh[toClient] = n.drain(handle, f, toClient)
	}
	if fresh[d] && !f.dropped && !f.passed { // this packet's, or acknowledged by it: a drop must not come too late
		n.v.Again, n.v.App = true, apps[f.app.Proto]
		n.inspect(handle)
	}
}

// leaveTunnel forgets the proxy's protocol, and reports whether the flow is inspected any further.
func (n *IDS) leaveTunnel(handle uint32, f *flow) bool {
	f.tunnel = false
	if f.dropped || f.passed {
		return false
	}
	n.dropParsers(handle)
	n.born++ // numbers of transactions begin again
	f.born, f.app, f.known = n.born, proto.Detector{}, [2]bool{}
	return true
}
