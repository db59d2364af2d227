package nf

import "github.com/granule-nf/granule/lambdaworker/state"

// Recorder raises the events that belong to no function: drops, flows, statistics. Package flowlog is it; nf can't import it, because
// lines are written with nf's packets.
type Recorder interface {
	FlowState
	FlowExpirer
	// Began sees a batch that no function has seen yet, Judged the same one after all of them.
	Began(b *Batch)
	Judged(b *Batch)
	// Arrived sees some of its packets, those of b.Live, with the flows that are told.
	Arrived(b *Batch)
	// Dropped is told of a packet right after the function that dropped it.
	Dropped(b *Batch, i uint16)
	// Ended is told of a flow that the table is about to forget; not of one that moved to another worker.
	Ended(b *Batch, flow uint32)
	// Tick raises what is due at b.Now though no packet came; Flush all that is still to be said, because none will come.
	Tick(b *Batch)
	Flush(b *Batch)
}

// RecorderSetup is what a Recorder is made from.
type RecorderSetup struct {
	Chain  string
	Stage  int
	Flows  *state.Table
	Events EventSet
}

var newRecorder func(RecorderSetup) Recorder

// RegisterRecorder makes the recorder known, which package flowlog does when it is imported.
func RegisterRecorder(f func(RecorderSetup) Recorder) { newRecorder = f }

// recorderNF stands for the recorder where entries of state name a function.
const recorderNF = 255

// record attaches the recorder that set asks for.
func (p *Pipeline) record(b *Bundle) {
	p.batch.Events.Only(b.Events)
	flows := b.Events.Has(EventFlow)
	if newRecorder == nil || !flows && !b.Events.Has(EventStats) && !b.Events.Has(EventDrop) {
		return
	}
	r := newRecorder(RecorderSetup{Chain: b.Chain, Stage: b.Stage, Flows: p.flows, Events: b.Events})
	if b.Events.Has(EventDrop) {
		p.Dropped = r.Dropped
	}
	if !flows && !b.Events.Has(EventStats) {
		return
	}
	p.recorder = r
	if flows {
		p.needs.Flows = true
		p.way.note()
		p.dirty = append(p.dirty, dirty{stamp: make([]uint32, p.flows.Cap()), flows: make([]uint32, 0, 8*MaxBatch)})
	}
}

// Tick tells functions and the recorder the time when no packet does. The batch returned has no packets; its Events hold what was due.
func (p *Pipeline) Tick(now int64) *Batch {
	b := p.Start()
	b.Now = now
	for i, f := range p.nfs {
		if t, ok := f.(Ticker); ok {
			b.nf = i
			t.Tick(b)
		}
	}
	if p.recorder != nil {
		p.recorder.Tick(b)
	}
	return b
}
