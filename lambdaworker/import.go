package main

import (
	"fmt"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
	"github.com/granule-nf/granule/relay/wire"
)

// maxImport is how long an entry of state may be.
const maxImport = state.MaxData + 1<<10

// importState takes over the entries that are whole, and keeps the beginning of one that goes on in the next part. What functions refuse is
// counted and goes into the next report: those flows start afresh, which is worse than a hand-off and better than no worker.
func (l *link) importState(part []byte, more bool) {
	if len(l.state)+len(part) > maxImport {
		l.out = wire.AppendBye(l.out, wire.ByeInternal, wire.FaultNone)
		l.end(ReasonFailed, fmt.Sprintf("the gateway sent an entry of state of more than %d bytes", maxImport))
		return
	}
	whole := part
	if len(l.state) > 0 || more {
		l.state = append(l.state, part...)
		whole = l.state
	}
	if more {
		whole = whole[:entriesIn(whole)]
	}
	l.imported += uint64(len(whole))
	if err := l.pipeline.ApplyDelta(whole); err != nil {
		if l.refused++; l.refusal == "" {
			l.refusal = err.Error()
		}
	}
	if more { // the functions have copied what they keep
		l.state = l.state[:copy(l.state, l.state[len(whole):])]
	} else {
		l.state = l.state[:0]
	}
}

// entriesIn is how many bytes of data are whole entries.
func entriesIn(data []byte) int {
	r := state.Read(data)
	for e := (state.Entry{}); r.Next(&e); {
	}
	return r.Offset()
}

// release forgets the flows of sub-flows that another worker has now.
func (l *link) release(body []byte) wire.Fault {
	var gone [nf.SubFlows]bool
	fault := wire.ParseRelease(body, func(subflow uint16) { gone[subflow] = true })
	if fault == wire.FaultNone {
		l.pipeline.Release(&gone)
	}
	return fault
}
