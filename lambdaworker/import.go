package main

import (
	"fmt"

	"github.com/granule-nf/granule/relay/wire"
)

// maxImport is how many bytes of state a worker takes over at once on one connection; a flow's is some hundred bytes to
// some kilobytes.
const maxImport = 256 << 20

// importState collects the parts of an import, and hands it to the functions when it is complete. What they refuse is
// counted and goes into the next report: those flows start afresh, which is worse than a hand-over and better than no worker.
func (l *link) importState(part []byte, more bool) {
	if len(l.state)+len(part) > maxImport {
		l.out = wire.AppendBye(l.out, wire.ByeInternal, wire.FaultNone)
		l.end(ReasonFailed, fmt.Sprintf("the gateway sent more than %d bytes of state at once", maxImport))
		return
	}
	l.state = append(l.state, part...)
	if more {
		return
	}
	l.imported += uint64(len(l.state))
	if err := l.pipeline.ApplyDelta(l.state); err != nil {
		if l.refused++; l.refusal == "" {
			l.refusal = err.Error()
		}
	}
	l.state = nil // the functions have copied what they keep; the next import is another worker's life away
}
