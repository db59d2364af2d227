package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// carryOut does what the matches of a packet come to.
func (n *IDS) carryOut(handle uint32) {
	o := &n.outcome
	drops := o.By != nil && o.Action.Drops()
	for i := range o.Alerts {
		n.alert(handle, &o.Alerts[i])
	}
	if o.PassFlow && handle != nf.NoFlow {
		n.flows[handle].passed = true
	}
	if !drops || !n.ips {
		return // a watcher only tells
	}
	if o.Flow && handle != nf.NoFlow {
		n.flows[handle].dropped = true
	}
	if n.v.Pseudo {
		if o.Action != rule.Drop {
			n.stats.RejectsLost++
		}
		return
	}
	v := nf.DropIDS
	if o.Action != rule.Drop {
		v = nf.DropIDSReject
		n.reject(o.Action)
	}
	n.stats.Dropped++
	n.b.Drop(n.i, v)
	n.b.Keep(n.i) // or the flow would be as good as new
	line := eve.AppendDrop(n.b.Events.Room(), n.p, v, &o.By.Event, n.context(-1))
	n.b.Events.Commit(line)
}

// alert writes the event of a match.
func (n *IDS) alert(handle uint32, m *detect.Match) {
	n.stats.Alerts++
	blocked := n.ips && m.Sig.Rule.Action.Drops()
	c := n.context(m.Tx)
	if handle != nf.NoFlow {
		c.Members = n.members(handle, m.Tx)
	}
	line := eve.AppendAlert(n.b.Events.Room(), n.p, &m.Sig.Event, blocked, c)
	n.b.Events.Commit(line)
}

// context is what is known of the flow of the packet in hand.
func (n *IDS) context(tx int64) *eve.Context {
	c := &n.ctx
	*c = eve.Context{Tx: tx}
	c.App = n.v.App.String()
	if n.v.HasFlow {
		c.Direction = eve.ToServer
		if n.v.Dir == proto.ToClient {
			c.Direction = eve.ToClient
		}
	}
	return c
}
