package main

import (
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/ingress"
)

// bytesPerSlot is a slot, its frame's descriptor and the frame.
const bytesPerSlot = 64 + 40 + 4096

// bytesPerFlow is an entry and its two places in a table that is half full (see flowtable).
const bytesPerFlow = 96 + 16

// status is what the console shows: everything is read here, so that no two views disagree.
func (a *appliance) status() *console.Status {
	s := &console.Status{Version: version, Started: a.started, Time: time.Now(), Shards: len(a.shards),
		Ports: map[string]ingress.PortStats{}, Attached: map[string]any{}}
	var l dataplane.Ledger
	for _, sh := range a.shards {
		sh.Ledger(&l)
		s.Memory.FlowCapacity += sh.Flows()
		s.Memory.Slots += sh.Slots()
	}
	s.Memory.SlotBytes, s.Memory.FlowBytes = bytesPerSlot, bytesPerFlow
	s.SetLedger(&l, &a.reasons, console.ProblemNames())
	s.Memory.Flows = int(l.Flows)
	for side := range ingress.Side(2) {
		s.Ports[side.String()] = l.Wire[side]
	}
	if a.coord != nil {
		s.Workers, s.Fleet, s.NotReady = a.coord.Status()
	}
	if a.workers != nil {
		s.Refused = a.workers.refused()
	}
	if a.events != nil {
		s.Events = a.events.Counters()
	}
	s.Reports = a.reports.all()
	s.Ready = a.coord != nil && len(s.NotReady) == 0
	return s
}
