package main

import (
	"github.com/granule-nf/granule/ingress/packet"
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
		l.pipeline.Of(p.Subflow)
		l.pipeline.Add(p.Data, uint32(p.Wire), side, p.Time, 0)
		if p.Upper != nil {
			u, ok := packet.ParseUpper(p.Upper)
			if !ok {
				return wire.FaultFlags
			}
			l.pipeline.SetUpper(u)
		}
	}
	b := l.pipeline.Run()
	l.clock.newest = b.Now
	l.answer(h.Sequence, b)
	l.packets += uint64(len(b.Packets))
	l.batches++
	l.answered += len(b.Packets)
	return wire.FaultNone
}
