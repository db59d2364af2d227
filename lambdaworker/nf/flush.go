package nf

// Flusher is implemented by functions that have something left to say when no packet will come any more: data that waits
// for an acknowledgement is inspected, flows that never ended are reported.
type Flusher interface {
	// Flush raises the events that are due at the end. b holds no packets.
	Flush(b *Batch)
}

// Flush tells every function that no packet will come any more: the end of a capture. The batch returned has no packets;
// its Events hold what was said.
func (p *Pipeline) Flush(now int64) *Batch {
	b := p.Start()
	b.Now = now
	for i, f := range p.nfs {
		if last, ok := f.(Flusher); ok {
			b.nf = i
			last.Flush(b)
		}
	}
	if p.recorder != nil {
		p.recorder.Flush(b)
	}
	return b
}
