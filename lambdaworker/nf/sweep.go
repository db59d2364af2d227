package nf

// FlowExpirer is implemented by functions that know of each flow when their state of it stops meaning something, which may be long before FlowTimeout:
// a question that nobody answered, a connection that was closed. Flows of which that is true for all functions are forgotten as time goes on, so that
// a table does not fill with them.
type FlowExpirer interface {
	// FlowExpires returns until when the function's state of flow means something if no packet comes, in ns since the Unix epoch; 0 if it has none.
	FlowExpires(flow uint32) int64
}

// A table is swept once in sweepPeriod of the packets' time, by at most sweepMost entries a batch. Flows that had a packet within sweepQuiet are not asked about.
const (
	sweepPeriod = int64(20e9)
	sweepMost   = 256
	sweepQuiet  = int64(5e9)
)

// sweep forgets flows that are over. Functions that keep flow state and can't say until when keep it for DefaultIdle.
func (p *Pipeline) sweep() {
	now := p.batch.Now
	if p.swept == 0 || now < p.swept {
		p.swept = now
	}
	n := int64(float64(p.flows.Cap()) * (float64(now-p.swept) / float64(sweepPeriod)))
	if n == 0 {
		return
	}
	p.swept = now
	p.flows.Sweep(int(min(n, sweepMost)), now, sweepQuiet, p.over)
}

// expired reports whether all that is known of flow means nothing any more.
func (p *Pipeline) expired(flow uint32) bool {
	now := p.batch.Now
	for _, f := range p.nfs {
		switch s := f.(type) {
		case FlowExpirer:
			if s.FlowExpires(flow) > now {
				return false
			}
		case FlowState:
			if now-p.flows.Seen(flow) <= DefaultIdle {
				return false
			}
		}
	}
	return p.recorder == nil || p.recorder.FlowExpires(flow) <= now
}
