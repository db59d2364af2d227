package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// flow is what the function knows of a flow beside what tracker and parsers keep.
type flow struct {
	used    bool
	reverse bool    // its first packet went from the higher endpoint to the lower: the client is the higher
	dropped bool    // a drop rule hit it: all that follows is dropped
	passed  bool    // a pass rule hit it: nothing more is inspected
	seen    [2]bool // packets in that direction
	first   [2]bool // rules on addresses alone were tried in that direction
	started bool    // the parser was given what came before the protocol was known
	tracked bool    // stream.Tracker has a session
	closed  bool    // the session's end was inspected
	txs     uint64  // DNS messages so far
	app     proto.Detector
	bits    detect.Bits
}

// forget empties all that is known of a flow.
func (n *IDS) forget(handle uint32) {
	f := &n.flows[handle]
	if !f.used {
		return
	}
	n.dropParsers(handle)
	n.streams.Forget(handle)
	*f = flow{}
}

// dropParsers forgets the flow's transactions.
func (n *IDS) dropParsers(handle uint32) {
	switch n.flows[handle].app.Proto {
	case proto.HTTP:
		for slot := n.http.First(handle); slot != none; slot = n.http.Next(slot) {
			n.engine.Release(&n.httpTx[slot])
		}
		n.http.Forget(handle)
	case proto.TLS:
		n.engine.Release(&n.tlsTx[handle])
		n.tls.Forget(handle)
	case proto.DNS:
		n.dns.Forget(handle)
	}
}

const none = ^uint32(0)
