package nf

import (
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Pipeline runs the functions of one stage over batches. It is used by one goroutine.
type Pipeline struct {
	nfs   []NF
	way   path
	needs Needs   // of all
	each  []Needs // of each function
	flows *state.Table
	batch Batch
	dirty []dirty // one per NF, and one for a recorder of flows

	// OnPanic is what becomes of the packets of a batch in which a function panicked, as far as it had not dropped them: DropPanic,
	// or Pass, which lets them go on as they stand.
	OnPanic Verdict
	// Dropped, where set, is called for each packet that a function dropped, right after the function: to write the event, say.
	Dropped func(b *Batch, i uint16)

	// The state of a flow that is alive but does not change is exported again from time to time, or its replica would look idle.
	exported []int64  // by flow: its last entry in a delta, as far as refresh has to know
	refresh  []uint32 // flows to export again with this batch

	// Flows that the run at hand has begun. They stay if a packet of theirs passes.
	fresh      []beginning
	began      []uint32 // by flow: the run that has begun it, 0 once that is settled
	runs       uint32
	spare      int // handles that no confirmed flow has, so that what is dropped pushes nobody out
	confirmers []Confirmer

	sent    []sent // one per NF, once patches are made
	patches *patches

	sub    uint16      // of packets that are added
	subs   []uint16    // by flow: its sub-flow
	moved  []bool      // by flow: it was imported, and has had no packet since
	made   packet.Info // of a frame that a function makes
	faults []fault     // one per NF
	gone   []gone      // flows that the table forgot during this batch
	swept  int64       // until when the table has been swept
	over   func(flow uint32) bool
	moving bool // flows are forgotten because they moved away, which is no news

	recorder Recorder // nil: neither flow nor statistics events

	labels []Report // one per NF, with nothing but its names: set by Build
}

// dirty are the flows whose state an NF changed in the running batch, each once.
type dirty struct {
	stamp []uint32 // one per flow: the batch in which it was noted last
	epoch uint32
	flows []uint32
}

// NewPipeline makes a pipeline of functions that were set up with flows.
func NewPipeline(nfs []NF, flows *state.Table, eventBytes int) *Pipeline {
	p := &Pipeline{nfs: nfs, flows: flows, dirty: make([]dirty, len(nfs)), OnPanic: DropPanic, faults: make([]fault, len(nfs)), gone: make([]gone, 0, 2*MaxBatch+sweepMost), subs: make([]uint16, flows.Cap()), moved: make([]bool, flows.Cap()),
		exported: make([]int64, flows.Cap()), refresh: make([]uint32, 0, MaxBatch)}
	for _, f := range nfs {
		n := f.Needs()
		p.each, p.needs = append(p.each, n), p.needs.Merge(n)
		if c, ok := f.(Confirmer); ok {
			p.confirmers = append(p.confirmers, c)
		}
	}
	p.way = newPath(p.each)
	p.fresh = make([]beginning, 0, (int(p.way.last)+1)*MaxBatch)
	p.batch = Batch{
		Packets:  make([]Packet, 0, MaxBatch),
		Live:     make([]uint16, 0, MaxBatch),
		Verdicts: make([]Verdict, 0, MaxBatch),
		Changed:  make([]Extent, 0, MaxBatch),
		Injected: make([]Injection, 0, 2*MaxBatch),
		arena:    make([]byte, 0, 64<<10),
		Flows:    flows,
		Events:   NewEvents(eventBytes),
		pipeline: p,
	}
	for i, f := range nfs {
		if _, ok := f.(FlowState); ok {
			p.dirty[i].stamp = make([]uint32, flows.Cap())
			p.dirty[i].flows = make([]uint32, 0, 2*MaxBatch) // a function may make a second flow for each packet
		}
	}
	p.began = make([]uint32, flows.Cap())
	flows.OnEvict(p.forget)
	p.over = p.expired
	return p
}

// Needs returns what the stage ships.
func (p *Pipeline) Needs() Needs { return p.needs }

// NeedsOf returns the needs of function i of the stage.
func (p *Pipeline) NeedsOf(i int) Needs { return p.each[i] }

// Start empties the batch for new packets. What the last batch held is no longer valid.
func (p *Pipeline) Start() *Batch {
	b := &p.batch
	b.Packets, b.Live, b.Verdicts, b.Changed = b.Packets[:0], b.Live[:0], b.Verdicts[:0], b.Changed[:0]
	b.Injected, b.arena = b.Injected[:0], b.arena[:0]
	b.Now = 0
	p.gone, p.refresh = p.gone[:0], p.refresh[:0]
	p.flows.NewBatch()
	for i := range p.dirty {
		d := &p.dirty[i]
		d.flows = d.flows[:0]
		if d.epoch++; d.epoch == 0 { // wrapped: stamps of four billion batches ago would count as new
			clear(d.stamp)
			d.epoch = 1
		}
	}
	return b
}

// maxSpan is how much time one batch may span. Flows neither expire nor are limited within a batch, so a batch that
// spans more than a burst would decide differently than its packets one by one.
const maxSpan = int64(10e6)

// Room reports whether a packet of time now may still join the batch: there is room, and the batch does not span too
// much time. Whoever makes batches out of a capture asks it before each Add, and runs the batch first where it says no.
func (p *Pipeline) Room(now int64) bool {
	n := len(p.batch.Packets)
	if n == 0 || n == MaxBatch {
		return n == 0
	}
	span := now - p.batch.Packets[0].Time
	return span <= maxSpan && span >= -maxSpan
}

// exportAgain is after how many ns the state of a flow that lives is exported again at the latest, though its state has not changed: a replica that is full gives
// up what came longest ago, which must not be a busy flow of a function that keeps flows for days.
const exportAgain = int64(5 * time.Minute)

// Add appends a packet: data as carried, its length on the wire, its port, its time, its number in a capture or 0.
// It parses the headers. The batch takes at most MaxBatch.
func (p *Pipeline) Add(data []byte, wire uint32, from Side, now int64, number uint64) {
	b := &p.batch
	n := len(b.Packets)
	b.Packets = b.Packets[:n+1]
	k := &b.Packets[n]
	k.Data, k.Wire, k.From, k.Time, k.Number = data, wire, from, now, number
	k.Flow, k.Reverse, k.NewFlow, k.Sub = NoFlow, false, false, p.sub
	packet.Parse(data, int(wire), &k.Info)
	b.Now = max(b.Now, now) // before a flow is forgotten for this one: the recorder asks
	if k.Kind != packet.NotIP && p.way.keyed[p.way.enters(from)] {
		k.Reverse = k.Info.Key(data, &k.Key)
	}
	b.Verdicts = append(b.Verdicts, Pass)
	b.Changed = append(b.Changed, Nothing)
}

// Learned says of the packet that was added last, a fragment, which ports its datagram has: those of its first fragment. An ICMP query has its
// identifier as both.
func (p *Pipeline) Learned(src, dst uint16) {
	b := &p.batch
	k := &b.Packets[len(b.Packets)-1]
	if !k.Frag {
		return
	}
	k.Info.Learned = true
	if !k.HasPorts {
		k.SrcPort, k.DstPort = src, dst
	}
	if k.Kind != packet.NotIP && p.way.keyed[p.way.enters(k.From)] {
		k.Reverse = k.Info.Key(k.Data, &k.Key)
	}
}

func (p *Pipeline) touch(nf int, flow uint32) {
	d := &p.dirty[nf]
	if d.stamp != nil && d.stamp[flow] != d.epoch {
		d.stamp[flow] = d.epoch
		d.flows = append(d.flows, flow)
	}
}

func (p *Pipeline) forget(flow uint32) {
	if !p.moving {
		p.gone = append(p.gone, gone{packet.Key(*p.flows.Key(flow)), p.subs[flow]})
	}
	if p.recorder != nil {
		if !p.moving {
			p.recorder.Ended(&p.batch, flow)
		}
		p.recorder.ForgetFlow(flow)
	}
	p.unsent(flow)
	for _, f := range p.nfs {
		if s, ok := f.(FlowState); ok {
			s.ForgetFlow(flow)
		}
	}
}
