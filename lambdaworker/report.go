package main

import (
	"encoding/json"
	"os"
	"runtime/metrics"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// report appends the counters of the stage, and what the connection and the process have done for them.
func (l *link) report(sequence uint32) {
	// It is asked for every second, traffic or none: so flows end though no packet comes after them.
	if l.clock.newest > 0 {
		l.events(l.pipeline.Tick(l.clock.now(time.Now())))
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
	}{processID(), mallocs[0].Value.Uint64() + mallocs[1].Value.Uint64(), l.packets, l.batches, l.in.Received(), l.sent, l.imported, l.refused, l.refusal, l.pipeline.Reports()})
	if err == nil && len(text) <= wire.MaxBody {
		l.out = wire.AppendReport(l.out, text, sequence, credit)
	}
	var used unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &used)
	l.out = wire.AppendLoad(l.out, wire.Load{Packets: l.packets, BusyNS: uint64(max(time.Since(l.since)-l.waited, 0)), ProcessNS: uint64(used.Utime.Nano() + used.Stime.Nano())}, credit)
}

// processID is the process' number as the gateway sees it: a confined worker is number 1 in a process namespace of its own.
func processID() int {
	if pid, err := strconv.Atoi(os.Getenv("GRANULE_WORKER_PID")); err == nil {
		return pid
	}
	return os.Getpid()
}
