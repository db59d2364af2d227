package nf

import "github.com/granule-nf/granule/ingress/packet"

// Run shows the batch to every function, a run of packets at a time: as many as can be judged together with the same outcome as one by one.
// Packets of one run come from one side, where the sides meet the functions in different orders, and hold no second packet of a flow that
// the run has begun: whether there is such a flow is known when the first packet has passed.
func (p *Pipeline) Run() *Batch {
	b := &p.batch
	if p.recorder != nil {
		b.nf = len(p.nfs)
		p.recorder.Began(b)
	}
	for at := 0; at < len(b.Packets); {
		at = p.begin(at)
		p.run(b.Packets[at-1].From)
		p.confirm()
	}
	b.Live = b.Live[:0]
	for i, v := range b.Verdicts {
		if v == Pass {
			b.Live = append(b.Live, uint16(i))
		}
	}
	p.sweep()
	if p.recorder != nil {
		b.nf = len(p.nfs)
		p.recorder.Judged(b)
	}
	return b
}

// begin makes the run that starts with packet at, finds its flows, and returns the packet behind it.
func (p *Pipeline) begin(at int) int {
	b := &p.batch
	b.Live, p.fresh = b.Live[:0], p.fresh[:0]
	if p.runs++; p.runs == 0 { // wrapped: stamps of four billion runs ago would count as new
		clear(p.began)
		p.runs = 1
	}
	from := b.Packets[at].From
	plane := p.way.enters(from)
	find, split := p.way.flows[plane], p.way.splits()
	for ; at < len(b.Packets); at++ {
		k := &b.Packets[at]
		if k.From != from && split {
			break
		}
		if find && k.Kind != packet.NotIP && p.find(uint16(at)) && len(b.Live) > 0 {
			break
		}
		b.Live = append(b.Live, uint16(at))
	}
	return at
}

// find finds the flow of packet i by its key, and reports whether this run has begun it with another packet.
func (p *Pipeline) find(i uint16) (begun bool) {
	k := &p.batch.Packets[i]
	k.Flow, k.NewFlow = p.flows.Get((*[6]uint64)(&k.Key), k.Time)
	if k.Flow == NoFlow {
		return false
	}
	if p.moved[k.Flow] {
		p.moved[k.Flow] = false
		if !k.NewFlow && p.subs[k.Flow] != k.Sub && !k.Frag {
			// Somebody who has another sub-flow made it up: a flow is in the sub-flow of its packets.
			p.delete(k.Flow)
			if k.Flow, k.NewFlow = p.flows.Get((*[6]uint64)(&k.Key), k.Time); k.Flow == NoFlow {
				return false
			}
		}
	}
	p.subs[k.Flow] = k.Sub
	if k.NewFlow {
		p.began[k.Flow] = p.runs
		p.exported[k.Flow] = k.Time
		p.fresh = append(p.fresh, beginning{k.Flow, i})
		return false
	}
	if k.Time-p.exported[k.Flow] > min(p.flows.Idle()/4, exportAgain) {
		p.refresh = append(p.refresh, k.Flow)
		p.exported[k.Flow] = k.Time
	}
	return p.began[k.Flow] == p.runs
}

// run shows the packets of the run to every function on their way.
func (p *Pipeline) run(from Side) {
	b := &p.batch
	first, step := 0, 1
	if from == Outside && !p.way.fixed {
		first, step = len(p.nfs)-1, -1
	}
	plane := p.way.enters(from)
	p.note(plane)
	for i := first; i >= 0 && i < len(p.nfs); i += step {
		b.nf, b.dropped = i, false
		if !p.process(p.nfs[i], b) {
			p.panicked(i, b)
		}
		if b.dropped {
			p.drop()
		}
		if len(b.Live) == 0 {
			return
		}
		if p.way.steps[i] {
			plane = uint8(int(plane) + step)
			p.cross(plane)
			p.note(plane)
		}
	}
}

// drop takes the packets that the last function dropped out of the run.
func (p *Pipeline) drop() {
	b := &p.batch
	live := b.Live[:0]
	for _, x := range b.Live {
		if b.Verdicts[x] == Pass {
			live = append(live, x)
		} else if p.Dropped != nil {
			p.Dropped(b, x)
		}
	}
	b.Live = live
}

// cross gives the packets behind a translator the flows that they belong to there.
func (p *Pipeline) cross(plane uint8) {
	if !p.way.keyed[plane] {
		return
	}
	b := &p.batch
	find := p.way.flows[plane]
	for _, i := range b.Live {
		k := &b.Packets[i]
		if k.Kind == packet.NotIP {
			continue
		}
		was, had := k.Key, k.Flow
		k.Reverse = k.Info.Key(k.Data, &k.Key)
		switch {
		case !find:
			k.Flow, k.NewFlow = NoFlow, false
		case had != NoFlow && k.Key == was: // nothing was translated
		case p.find(i):
			p.fresh = append(p.fresh, beginning{k.Flow, i})
		}
	}
}

// note tells the recorder of the run, in the plane whose flows it keeps.
func (p *Pipeline) note(plane uint8) {
	if p.recorder != nil && plane == p.way.noted {
		p.batch.nf = len(p.nfs)
		p.recorder.Arrived(&p.batch)
	}
}

// beginning is a flow that was not in the table before, and the packet that put it there.
type beginning struct {
	flow   uint32
	packet uint16
}

// Confirmer is implemented by functions that enter something in a table of their own when they see a packet. Confirm is called when all functions
// of the stage have judged the packets of a run: what a packet entered that did not pass has to be taken out again, so that
// dropped packets cost nobody's state.
type Confirmer interface {
	Confirm(b *Batch)
}

// confirm keeps the flows of which a packet has passed, and takes the others out again without a trace.
func (p *Pipeline) confirm() {
	b := &p.batch
	for _, c := range p.confirmers {
		c.Confirm(b)
	}
	for _, f := range p.fresh {
		if b.Verdicts[f.packet] == Pass {
			p.began[f.flow] = 0
		}
	}
	for _, f := range p.fresh {
		if p.began[f.flow] == p.runs {
			p.began[f.flow] = 0
			p.delete(f.flow)
		}
	}
	for _, f := range p.fresh {
		if k := &b.Packets[f.packet]; k.Flow == f.flow && !p.flows.Used(f.flow) {
			k.Flow = NoFlow
		}
	}
	p.flows.MakeRoom(p.spare)
}
