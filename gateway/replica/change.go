package replica

import "github.com/granule-nf/granule/lambdaworker/state"

// change makes e, a patch, the state that it stands for: of the state that is there, and of packets that parked lends. It reports false where
// that can't be done: the state was given up for room, or a packet has been resolved before its verdict came. What is there is
// no longer true then.
func (r *Replica) change(e *state.Entry, worker uint32, say Say, parked func(i int) []byte) bool {
	r.last = r.last[:0]
	i, ok := r.find(e, worker, say)
	if ok {
		rec := &r.records[r.slots[i]-1]
		ok = rec.version == e.Version && rec.epoch == r.epochs[e.NF] && rec.size <= state.MaxPatched
		for left, b := int(rec.size), rec.data; ok && left > 0; left, b = left-blockData, r.next[b] {
			r.last = append(r.last, r.blocks[b][:min(left, blockData)]...)
		}
	}
	if ok {
		r.patched, ok = state.Patch(r.patched[:0], r.last, e.Data, parked)
	}
	e.Kind, e.Data = state.Flow, nil
	if ok {
		e.Data = r.patched
	}
	return ok
}
