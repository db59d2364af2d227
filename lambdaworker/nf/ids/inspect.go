package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/dns"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// inspect tries all rules on what n.v shows, and carries out what they say. handle is nf.NoFlow where there is no flow.
func (n *IDS) inspect(handle uint32) {
	n.v.Now = n.p.Time
	n.engine.Packet(&n.v)
	if handle != nf.NoFlow {
		n.transactions(handle, &n.flows[handle])
	}
	n.engine.Finish(&n.v, n.p.Time, &n.outcome)
	n.carryOut(handle)
	if g := n.engine.GaveUp(); g.Sig != nil {
		n.gaveUp(handle, g)
	}
	if handle != nf.NoFlow {
		n.release(handle, &n.flows[handle])
	}
}

// release drops the transactions that were inspected in both directions, once their events are written.
func (n *IDS) release(handle uint32, f *flow) {
	if f.app.Proto != proto.HTTP {
		return
	}
	for slot := n.http.First(handle); slot != none; {
		next := n.http.Next(slot)
		if t := n.httpState(slot); t.Done[0] && t.Done[1] {
			n.engine.Release(t)
			n.http.Release(slot)
		}
		slot = next
	}
}

// transactions tries the rules of the flow's protocol on the packet's direction of its transactions.
func (n *IDS) transactions(handle uint32, f *flow) {
	d := n.v.Dir
	switch f.app.Proto {
	case proto.HTTP:
		for slot := n.http.First(handle); slot != none; slot = n.http.Next(slot) {
			n.httpTransaction(slot, d)
		}
	case proto.TLS:
		n.tlsTransaction(handle, d)
	case proto.DNS:
		if n.p.Proto == protoUDP && len(n.v.Payload) > 0 && !n.v.Pseudo && n.readDNS(n.v.Payload) {
			n.dnsTransaction(f)
		}
	}
}

func (n *IDS) httpTransaction(slot uint32, d proto.Dir) {
	t := n.httpState(slot)
	v := &n.views.http
	v.tx, v.dir = n.http.Tx(slot), d
	id := int64(v.tx.ID)
	if !t.Done[d] {
		n.engine.Transaction(&n.v, rule.AppHTTP, v, t, id)
		if n.http.BodyReady(v.tx, d) {
			n.http.BodyInspected(v.tx, d)
		}
		t.Done[d] = v.Complete()
	}
}

func (n *IDS) tlsTransaction(handle uint32, d proto.Dir) {
	t := &n.tlsTx[handle]
	v := &n.views.tls
	v.flow, v.dir, v.state, v.now = handle, d, n.tls.State(handle), n.p.Time
	if v.state == nil || t.Done[d] {
		return
	}
	n.engine.Transaction(&n.v, rule.AppTLS, v, t, 0)
	t.Done[d] = v.Complete()
}

// readDNS reads a message and reports whether it is a transaction: one with questions or answers that can't be read is none.
func (n *IDS) readDNS(m []byte) bool {
	return n.message.Parse(m) && n.message.Problem != dns.Malformed
}

// dnsTransaction inspects n.message, which is a transaction by itself.
func (n *IDS) dnsTransaction(f *flow) {
	n.engine.Transaction(&n.v, rule.AppDNS, &n.views.dns, &n.dnsTx, int64(f.txs))
	n.engine.Release(&n.dnsTx)
	f.txs++
}

// dnsMessage inspects a message out of a TCP stream. It may have come to light with a packet of the other direction, for
// it was acknowledged then; addresses are those of its own.
func (n *IDS) dnsMessage(handle uint32, f *flow, d proto.Dir, m []byte) {
	if f.dropped || f.passed || !n.readDNS(m) {
		return
	}
	saved := n.v
	p := n.p
	if d != n.v.Dir {
		n.p = n.pseudo.packet(n, handle, d)
		n.view(n.p)
		n.v.Pseudo = true
	}
	n.show(handle, f)
	n.v.Dir, n.v.App = d, rule.AppDNS
	n.v.Established, n.v.InStream = true, true
	n.v.Payload, n.v.Now = nil, n.p.Time
	n.dnsTransaction(f)
	n.engine.Finish(&n.v, n.p.Time, &n.outcome)
	n.carryOut(handle)
	if g := n.engine.GaveUp(); g.Sig != nil {
		n.gaveUp(handle, g)
	}
	n.p, n.v = p, saved
}
