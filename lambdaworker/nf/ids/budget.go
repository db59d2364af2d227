package ids

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/detect"
)

// maxGaveUpEvents is how many events of a batch say that something was not inspected: an attacker must not crowd out alerts.
const maxGaveUpEvents = 8

// startPacket gives the packet in hand its budget of work.
func (n *IDS) startPacket(handle uint32) {
	strikes := uint8(0)
	if handle != nf.NoFlow {
		strikes = n.flows[handle].strikes
	}
	n.engine.StartPacket(strikes)
}

// gaveUp deals with a packet of which rules were not tried to the end because they took too long. A flow that does so again and
// again has its budget halved each time. In mode ips the packet goes the way that on-function-failure says: closed, it is dropped, and
// so is what follows in its flow, or a sender could have the same bytes pass by sending them twice.
func (n *IDS) gaveUp(handle uint32, g detect.GaveUp) {
	n.stats.GaveUp++
	first := handle == nf.NoFlow
	var f *flow
	if !first {
		f = &n.flows[handle]
		first = f.strikes == 0
		f.strikes = min(f.strikes+1, detect.MaxStrikes)
		n.b.Touch(handle)
	}
	action := "pass"
	if n.ips && n.b.FailsClosed() {
		action = "drop"
		if f != nil {
			f.dropped = true
		}
		if !n.v.Pseudo {
			n.stats.Dropped++
			n.b.Drop(n.i, nf.DropIDSBudget)
		}
	}
	if !first || n.gaveUpEvents == maxGaveUpEvents {
		return
	}
	n.gaveUpEvents++
	m := append(n.scratchMembers[:0], `"budget":{"scope":"`...)
	if g.Packet {
		m = append(m, `packet"`...)
	} else {
		m = append(m, `rule"`...)
	}
	m = numberMember(m, "gid", int64(g.Sig.Rule.GID))
	m = numberMember(m, "signature_id", int64(g.Sig.Rule.SID))
	m = append(append(append(m, `,"action":"`...), action...), `"}`...)
	n.scratchMembers = m
	c := n.context(-1)
	c.Members = m
	n.b.Events.Commit(eve.AppendAnomaly(n.b.Events.Room(), n.p, "detect", "budget_exhausted", "", c))
}
