// Package flowlog raises the events of a stage that belong to none of its functions: a drop for each packet that a function dropped and
// did not tell of itself, a flow when it has ended, statistics every eight seconds. They are Suricata's types with its fields, so
// that what reads its eve.json reads them.
//
// Everything is bounded: a record a flow, made with the stage; lines that find no room are lost and counted, as all events are. It has no clock
// but the packets'. A flow's record is state of the flow and moves with it.
package flowlog

import (
	"fmt"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.RegisterRecorder(func(s nf.RecorderSetup) nf.Recorder { return New(s) })
}

// Recorder implements nf.Recorder.
type Recorder struct {
	name   string // chain/stage, for stats
	table  *state.Table
	flows  []flow // by handle; empty where flow events are off
	cursor uint32 // of the sweep
	unsent []uint32

	handles [nf.MaxBatch]uint32 // of the flows that the batch's packets belong to

	mark   int // where the lines of the batch at hand begin
	alerts uint64

	stats statistics
}

// New makes a recorder.
func New(s nf.RecorderSetup) *Recorder {
	r := &Recorder{name: fmt.Sprintf("%s/%d", s.Chain, s.Stage), table: s.Flows}
	if s.Events.Has(nf.EventFlow) {
		r.flows = make([]flow, s.Flows.Cap())
		r.unsent = make([]uint32, 0, maxUnsent)
	}
	r.stats.on = s.Events.Has(nf.EventStats)
	return r
}

// Dropped implements nf.Recorder. The IDS tells of the packets that a rule of it dropped, with the rule.
func (r *Recorder) Dropped(b *nf.Batch, i uint16) {
	switch v := b.Verdicts[i]; v {
	case nf.DropIDS, nf.DropIDSReject:
	default:
		b.Events.Commit(eve.AppendDrop(b.Events.Room(), &b.Packets[i], v, nil, &unknown))
	}
}

var unknown = eve.Context{Tx: -1}

// Began implements nf.Recorder.
func (r *Recorder) Began(b *nf.Batch) {
	if r.stats.on {
		r.stats.count(b)
	}
	for _, handle := range r.unsent {
		b.Touch(handle)
	}
	r.unsent = r.unsent[:0]
	if len(r.flows) > 0 {
		for i := range b.Packets {
			r.handles[i] = nf.NoFlow
			for range packetSweep {
				if r.step(b, b.Packets[i].Time) {
					b.Touch(r.cursor)
				}
			}
		}
	}
	r.mark, r.alerts = b.Events.Mark(), b.Events.Alerts()
}

// Arrived implements nf.Recorder.
func (r *Recorder) Arrived(b *nf.Batch) {
	if len(r.flows) == 0 {
		return
	}
	for _, i := range b.Live {
		if p := &b.Packets[i]; p.Kind != packet.NotIP && p.Flow != nf.NoFlow {
			r.handles[i] = p.Flow
			r.packet(b, p)
		}
	}
}

// Judged implements nf.Recorder.
func (r *Recorder) Judged(b *nf.Batch) {
	if n := b.Events.Alerts() - r.alerts; n > 0 {
		r.stats.alerts += n
		r.alerted(b)
	}
	if r.stats.on {
		r.stats.judge(b)
		r.stats.due(r, b)
	}
}

// Tick implements nf.Recorder.
func (r *Recorder) Tick(b *nf.Batch) {
	for range min(tickSweep, len(r.flows)) {
		if len(r.unsent) == cap(r.unsent) {
			break
		}
		if r.step(b, b.Now) {
			r.unsent = append(r.unsent, r.cursor)
		}
	}
	if r.stats.on {
		r.stats.due(r, b)
	}
}

// Flush implements nf.Recorder.
func (r *Recorder) Flush(b *nf.Batch) {
	for i := range r.flows {
		if f := &r.flows[i]; f.used {
			r.publish(b, uint32(i), b.Now, "shutdown")
		}
	}
	if r.stats.on && b.Now > 0 {
		r.stats.publish(r, b)
	}
}
