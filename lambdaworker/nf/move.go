package nf

import (
	"errors"
	"fmt"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// AppendDelta appends what the last batch changed, in the form of package state: flows forgotten, flows whose state
// changed, deltas of shared state. It is called at most once a batch, after Run and before Start. What it gives must reach the
// replica before the batch's packets leave.
func (p *Pipeline) AppendDelta(dst []byte) []byte { return p.appendDelta(dst, false) }

// AppendChanges is AppendDelta for a replica that has had all that AppendChanges gave, and has the packets of the batch as they came: of
// states that it knows it gives patches. It is called for each batch, or for none.
func (p *Pipeline) AppendChanges(dst []byte) []byte {
	if p.patches == nil {
		p.newPatches()
	}
	return p.appendDelta(dst, true)
}

func (p *Pipeline) appendDelta(dst []byte, patch bool) []byte {
	for i := range p.gone {
		dst = state.Append(dst, &state.Entry{Kind: state.Gone, Sub: p.gone[i].sub, Key: p.gone[i].key})
	}
	p.gone = p.gone[:0]
	for i, f := range p.nfs {
		if s, ok := f.(FlowState); ok {
			d := &p.dirty[i]
			for _, flow := range d.flows {
				if p.flows.Used(flow) { // or it was pushed out by one that a function made
					dst = p.appendFlow(dst, i, s, flow, true, patch)
				}
			}
			for _, flow := range p.refresh {
				if p.flows.Used(flow) && d.stamp[flow] != d.epoch {
					p.unsent(flow)
					dst = p.appendFlow(dst, i, s, flow, false, false)
				}
			}
		}
		if s, ok := f.(EntryState); ok {
			dst = s.AppendEntries(dst, uint8(i))
		}
		if s, ok := f.(SharedState); ok {
			dst = p.appendShared(dst, i, s.AppendShared)
		}
	}
	if len(p.dirty) > len(p.nfs) {
		for _, flow := range p.dirty[len(p.nfs)].flows {
			if p.flows.Used(flow) {
				dst = p.appendFlow(dst, recorderNF, p.recorder, flow, true, false)
			}
		}
	}
	return dst
}

func (p *Pipeline) appendFlow(dst []byte, i int, s FlowState, flow uint32, empty, patch bool) []byte {
	e := state.Entry{Kind: state.Flow, NF: uint8(i), Version: s.StateVersion(), Sub: p.subs[flow], Key: *p.flows.Key(flow), Seen: p.flows.Seen(flow)}
	start := len(dst)
	dst = state.Begin(dst, &e)
	data := len(dst)
	dst = s.AppendFlow(dst, flow)
	if len(dst) == data && !empty {
		return dst[:start]
	}
	if patch {
		return p.patch(dst, start, data, i, flow, &e)
	}
	return state.End(dst, start, data)
}

func (p *Pipeline) appendShared(dst []byte, i int, appendTo func([]byte) []byte) []byte {
	start := len(dst)
	dst = state.Begin(dst, &state.Entry{Kind: state.Shared, NF: uint8(i)})
	data := len(dst)
	if dst = appendTo(dst); len(dst) == data {
		return dst[:start]
	}
	return state.End(dst, start, data)
}

// ApplyDelta imports deltas and snapshots of another instance of the same stage. It goes on past an entry that a function
// refuses, leaving that flow without state, and stops at bytes that are no entry; the error tells the first of what was wrong and
// how many entries were. It runs between two batches.
func (p *Pipeline) ApplyDelta(data []byte) error {
	var first error
	bad := 0
	r := state.Read(data)
	var e state.Entry
	for r.Next(&e) {
		if err := p.applyEntry(&e); err != nil {
			if bad++; first == nil {
				first = err
			}
		}
	}
	if r.Err() != nil {
		return errors.Join(r.Err(), first)
	}
	if bad > 1 {
		return fmt.Errorf("%w (and %d more entries refused)", first, bad-1)
	}
	return first
}

func (p *Pipeline) applyEntry(e *state.Entry) error {
	if e.Kind == state.Gone {
		if flow := p.flows.Find(&e.Key); flow != state.None && p.subs[flow] == e.Sub {
			p.delete(flow)
		}
		return nil
	}
	if e.Kind == state.Change {
		return errors.New("a patch of a flow's state, which only a replica can apply")
	}
	if e.NF == recorderNF {
		if p.recorder == nil {
			return nil // flow events were switched off
		}
		return p.applyFlow(e, "flow events", p.recorder)
	}
	if int(e.NF) >= len(p.nfs) {
		return fmt.Errorf("state for function %d of a stage of %d", e.NF, len(p.nfs))
	}
	if e.Kind == state.Shared {
		s, ok := p.nfs[e.NF].(SharedState)
		if !ok {
			return fmt.Errorf("%s: shared state for a function that has none", p.name(int(e.NF)))
		}
		if err := s.ApplyShared(e.Data); err != nil {
			return fmt.Errorf("%s: shared state: %w", p.name(int(e.NF)), err)
		}
		return nil
	}
	if s, ok := p.nfs[e.NF].(EntryState); ok {
		return p.applyOwn(e, s)
	}
	s, ok := p.nfs[e.NF].(FlowState)
	if !ok {
		return fmt.Errorf("%s: flow state for a function that has none", p.name(int(e.NF)))
	}
	return p.applyFlow(e, p.name(int(e.NF)), s)
}

func (p *Pipeline) applyOwn(e *state.Entry, s EntryState) error {
	if v := s.StateVersion(); v != e.Version {
		return fmt.Errorf("%s: state of version %d, expected %d", p.name(int(e.NF)), e.Version, v)
	}
	if err := s.ApplyEntry(e); err != nil {
		return fmt.Errorf("%s: state: %w", p.name(int(e.NF)), err)
	}
	return nil
}

func (p *Pipeline) applyFlow(e *state.Entry, name string, s FlowState) error {
	if v := s.StateVersion(); v != e.Version {
		return fmt.Errorf("%s: flow state of version %d, expected %d", name, e.Version, v)
	}
	if flow := p.flows.Find(&e.Key); flow != state.None && p.subs[flow] != e.Sub {
		return fmt.Errorf("%s: state of a flow of sub-flow %d as if it were of %d", name, p.subs[flow], e.Sub)
	}
	flow := p.flows.Put(&e.Key, e.Seen)
	if flow == state.None {
		return fmt.Errorf("%s: no room for a flow", name)
	}
	p.exported[flow], p.subs[flow], p.moved[flow] = e.Seen, e.Sub, true
	if len(e.Data) == 0 {
		s.ForgetFlow(flow)
		return nil
	}
	if err := s.ApplyFlow(flow, e.Data); err != nil {
		s.ForgetFlow(flow)
		return fmt.Errorf("%s: flow state: %w", name, err)
	}
	return nil
}

// Forget empties the stage of the flows whose key filter wants, without a trace in deltas: they moved to another worker.
func (p *Pipeline) Forget(filter func(key *packet.Key) bool) {
	p.flows.Each(func(flow uint32) {
		if filter((*packet.Key)(p.flows.Key(flow))) {
			p.delete(flow)
		}
	})
}

func (p *Pipeline) delete(flow uint32) {
	p.moving = true
	p.flows.Delete(flow)
	p.moving = false
}

// Shares says of each function whether it has shared state.
func (p *Pipeline) Shares() []bool {
	shares := make([]bool, len(p.nfs))
	for i, f := range p.nfs {
		_, shares[i] = f.(SharedState)
	}
	return shares
}
