package main

import (
	"cmp"
	"encoding/json"
	"os"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// work runs one batch through the stage and appends the answer. It allocates nothing.
func (l *link) work(h wire.Header, body []byte) wire.Fault {
	if fault := l.batch.Parse(h, body); fault != wire.FaultNone {
		return fault
	}
	l.pipeline.Start()
	p := &l.packet
	for l.batch.Next(p) {
		side := nf.Inside
		if p.Outside {
			side = nf.Outside
		}
		l.pipeline.Add(p.Data, uint32(p.Wire), side, p.Time, 0)
	}
	b := l.pipeline.Run()
	l.silence.newest = b.Now
	l.answer(h.Sequence, b)
	l.packets += uint64(len(b.Packets))
	l.batches++
	l.answered += len(b.Packets)
	return wire.FaultNone
}

// answer appends the Result of b, and the events that it raised.
func (l *link) answer(sequence uint32, b *nf.Batch) {
	w := &l.writer
	w.Begin(l.out, sequence, credit)
	w.EndState(l.pipeline.AppendDelta(w.BeginState()))
	changed := false
	for i, v := range b.Verdicts {
		if v == nf.Pass && l.whole {
			b.Changed[i] = nf.Whole
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
	if what == nf.Whole && uint32(len(p.Data)) == p.Wire { // else a packet of which headers came would be cut down to them
		w.Rewritten(i, wire.RewroteWhole, p.Data)
		return
	}
	n := len(p.Data)
	if p.HasPorts && int(p.Payload) < n {
		n = int(p.Payload)
	}
	w.Rewritten(i, wire.RewroteHeaders, p.Data[:n])
}

// report appends the counters of the stage, and what the connection and the process have done for them.
func (l *link) report(sequence uint32) {
	// It is asked for every second, traffic or none: so flows end though no packet comes after them.
	if l.silence.newest > 0 {
		l.events(l.pipeline.Quiet(l.silence.now(time.Now())))
	}
	mallocs := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	metrics.Read(mallocs)
	text, err := json.Marshal(struct {
		PID      int         `json:"pid"`
		Mallocs  uint64      `json:"mallocs"` // heap objects since the process began
		Packets  uint64      `json:"packets"`
		Batches  uint64      `json:"batches"`
		BytesIn  uint64      `json:"bytes_in"` // on the connection, TLS included
		BytesOut uint64      `json:"bytes_out"`
		Imported uint64      `json:"imported"` // bytes of state
		Refused  uint64      `json:"refused"`  // imports of which a function refused something
		Refusal  string      `json:"refusal,omitempty"`
		NFs      []nf.Report `json:"nfs"`
	}{os.Getpid(), mallocs[0].Value.Uint64() + mallocs[1].Value.Uint64(), l.packets, l.batches, l.in.Received(), l.sent, l.imported, l.refused, l.refusal, l.pipeline.Reports()})
	if err == nil && len(text) <= wire.MaxBody {
		l.out = wire.AppendReport(l.out, text, sequence, credit)
	}
}
