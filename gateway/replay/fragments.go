package replay

import (
	"bytes"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/dataplane/fragment"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// Bounds of what is held of fragments: those of a shard.
const (
	maxDatagrams = 1024
	maxFragments = 1024
)

// heldFragment waits for the first one of its datagram. Its bytes are a copy: the capture's buffer goes back.
type heldFragment struct {
	frame  ingress.Frame
	number uint64
	next   uint32 // of its datagram
}

// fragments are what is held, by datagram; the rules are those of the running gateway.
type fragments struct {
	table *fragment.Table
	held  []heldFragment
	free  []uint32
}

func newFragments(seed uint64) fragments {
	return fragments{table: fragment.New(fragment.Config{Datagrams: maxDatagrams, Held: maxFragments, Seed: seed})}
}

// fragment finds out what becomes of a fragment, which r.at was filled from: it goes on with what its datagram's first one says, it is dropped, or it is
// put aside.
func (r *replay) fragment(f *ingress.Frame, number uint64) {
	var key packet.Key
	r.at.Info.DatagramKey(f.Data, &key)
	i, upper, verdict := r.fragments.table.Add(f.Data, &r.at.Info, &key, r.newest, r.dropEnded)
	switch verdict {
	case fragment.Go:
		r.judge(f, number, upper)
	case fragment.First:
		r.judge(f, number, upper)
		r.takeHeld(i, func(f *ingress.Frame, number uint64) {
			r.rules.Packet(f.Data, f.Wire, &r.at)
			r.judge(f, number, upper)
		})
	case fragment.Hold:
		r.hold(r.fragments.table.Entry(i), f, number)
	case fragment.Overlap:
		r.drop(f, number, dataplane.FragmentOverlap)
	case fragment.Spoil:
		r.drop(f, number, dataplane.FragmentOverlap)
		r.takeHeld(i, func(f *ingress.Frame, number uint64) { r.drop(f, number, dataplane.FragmentOverlap) })
	default:
		r.drop(f, number, dataplane.FragmentLimit)
	}
}

// hold appends a copy of a fragment to the list of its datagram.
func (r *replay) hold(e *fragment.Entry, f *ingress.Frame, number uint64) {
	h := &r.fragments
	if len(h.free) == 0 {
		h.held = append(h.held, heldFragment{})
		h.free = append(h.free, uint32(len(h.held)-1))
	}
	at := h.free[len(h.free)-1]
	h.free = h.free[:len(h.free)-1]
	h.held[at] = heldFragment{*f, number, fragment.None}
	h.held[at].frame.Data = bytes.Clone(f.Data)
	if e.Tail == fragment.None {
		e.Head = at
	} else {
		h.held[e.Tail].next = at
	}
	e.Tail = at
}

// takeHeld empties the list of datagram i.
func (r *replay) takeHeld(i uint32, f func(*ingress.Frame, uint64)) {
	e := r.fragments.table.Entry(i)
	head := e.Head
	e.Head, e.Tail = fragment.None, fragment.None
	r.eachHeld(head, f)
}

func (r *replay) eachHeld(head uint32, f func(*ingress.Frame, uint64)) {
	for head != fragment.None {
		h := r.fragments.held[head]
		r.fragments.held[head] = heldFragment{}
		r.fragments.free = append(r.fragments.free, head)
		head = h.next
		f(&h.frame, h.number)
	}
}

// dropEnded drops what was held of a datagram that has ended.
func (r *replay) dropEnded(head uint32, timedOut bool) {
	why := dataplane.FragmentLimit
	if timedOut {
		why = dataplane.FragmentTimeout
	}
	r.eachHeld(head, func(f *ingress.Frame, number uint64) { r.drop(f, number, why) })
}
