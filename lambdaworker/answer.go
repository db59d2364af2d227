package main

import (
	"cmp"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// answer appends the Result of b, and the events that it raised.
func (l *link) answer(sequence uint32, b *nf.Batch) {
	w := &l.writer
	w.Begin(l.out, sequence, credit)
	w.EndState(l.pipeline.AppendChanges(w.BeginState()))
	changed := false
	for i, v := range b.Verdicts {
		if v == nf.Pass && l.whole {
			b.Changed[i] = nf.Full
		}
		if v == nf.Pass && b.Changed[i] != nf.Nothing {
			changed = true
			if len(b.Packets[i].Data) > wire.MaxPacket { // what can't be carried back can't leave
				b.Verdicts[i], v = nf.DropMalformed, nf.DropMalformed
			}
		}
		w.Verdict(uint8(v))
	}
	if changed {
		for i, v := range b.Verdicts {
			if v == nf.Pass && b.Changed[i] != nf.Nothing {
				rewrite(w, uint16(i), &b.Packets[i], b.Changed[i])
			}
		}
	}
	if len(b.Injected) > 0 {
		// Each function worked in the order of packets, but one after the other.
		l.order = append(l.order[:0], b.Injected...)
		slices.SortStableFunc(l.order, func(x, y nf.Injection) int { return cmp.Compare(x.Cause, y.Cause) })
		for i := range l.order {
			if x := &l.order[i]; len(x.Frame) <= wire.MaxPacket {
				w.Injected(x.Cause, uint8(x.To), x.Frame)
			}
		}
	}
	var fits bool
	if l.out, fits = w.End(); !fits {
		l.out = wire.AppendBye(l.out, wire.ByeInternal, wire.FaultNone)
		l.end(ReasonFailed, "an answer was longer than a frame")
		return
	}
	l.events(b)
}

// events sends what was raised.
func (l *link) events(b *nf.Batch) {
	if lines, lost := b.Events.Take(); len(lines) > 0 || lost > 0 {
		l.out = wire.AppendEvents(l.out, lines, uint32(min(lost, 1<<32-1)), credit)
	}
}

// rewrite sends back what changed of a packet. Of changed headers that is the bytes up to the payload; but where the
// payload's place is not known, or the headers quote others (ICMP), it is all that was carried.
func rewrite(w *wire.ResultWriter, i uint16, p *nf.Packet, what nf.Extent) {
	if what == nf.Full && uint32(len(p.Data)) == p.Wire { // else a packet of which headers came would be cut down to them
		w.Rewritten(i, wire.RewroteWhole, p.Data)
		return
	}
	n := len(p.Data)
	if p.HasPorts && int(p.Payload) < n {
		n = int(p.Payload)
	}
	w.Rewritten(i, wire.RewroteHeaders, p.Data[:n])
}
