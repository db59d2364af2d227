package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
)

// flow is what the function knows of a flow beside what tracker and parsers keep.
type flow struct {
	used    bool
	born    uint64    // number of the flow among all that this instance met
	reverse bool      // its first packet went from the higher endpoint to the lower: the client is the higher
	dropped bool      // a drop rule hit it: all that follows is dropped
	passed  bool      // a pass rule hit it: nothing more is inspected
	seen    [2]bool   // packets in that direction
	first   [2]bool   // rules on addresses alone were tried in that direction
	known   [2]bool   // rules on the application protocol alone were tried in that direction
	tracked bool      // stream.Tracker has a session
	closed  bool      // the session's end was inspected
	strikes uint8     // how often inspection of it took too long, at most detect.MaxStrikes
	scanned [2]bool   // the stream of that direction was scanned by this instance
	tunnel  bool      // a proxy's tunnel begins: while its packet is in hand
	hitTo   [2]uint64 // and up to here something was found
	last    int64     // time of the session's last packet
	txs     uint64    // DNS messages so far
	app     proto.Detector
	bits    detect.Bits
	ints    detect.Ints
	counts  detect.Counts
}

// newFlow begins the record of a flow.
func (n *IDS) newFlow(handle uint32) *flow {
	n.born++
	f := &n.flows[handle]
	*f = flow{used: true, born: n.born}
	return f
}

// show lends the rules what is remembered of the flow.
func (n *IDS) show(handle uint32, f *flow) {
	n.v.HasFlow, n.v.Bits, n.v.Ints, n.v.Counts = true, &f.bits, &f.ints, &f.counts
	if n.v.Tracked = f.tracked; f.tracked {
		n.v.Sent = n.streams.Sent(handle)
	}
}

// count counts the packet in hand.
func (n *IDS) count(f *flow) { f.counts.Add(n.v.Dir, n.p.Wire, n.p.Time) }

// forget empties all that is known of a flow.
func (n *IDS) forget(handle uint32) {
	n.frags.Forget(handle)
	f := &n.flows[handle]
	if !f.used {
		return
	}
	n.dropParsers(handle)
	n.streams.Forget(handle)
	n.quiet.remove(handle)
	*f = flow{}
}

// dropParsers forgets the flow's transactions.
func (n *IDS) dropParsers(handle uint32) {
	switch n.flows[handle].app.Proto {
	case proto.HTTP:
		for slot := n.http.First(handle); slot != none; slot = n.http.Next(slot) {
			n.engine.Release(n.httpState(slot))
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

// httpState is what the engine remembers of the transaction in a slot of the parser.
type httpState struct {
	detect.TxState
	id   uint64
	born uint64 // of the flow
}

// httpState lends the state of the transaction that is in slot now. The parser gives slots away when a flow has too many
// transactions; what was remembered of the one before is dropped then.
func (n *IDS) httpState(slot uint32) *detect.TxState {
	t, tx := &n.httpTx[slot], n.http.Tx(slot)
	if born := n.flows[tx.Flow].born; t.id != tx.ID || t.born != born {
		n.engine.Release(&t.TxState)
		t.id, t.born = tx.ID, born
	}
	return &t.TxState
}
