package appliance

import (
	"fmt"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/afxdp"
)

// bytesPerSlot is a slot, its frame's descriptor and the frame.
const bytesPerSlot = 64 + 40 + 4096

// bytesPerFlow is an entry and its two places in a table that is half full (see flowtable).
const bytesPerFlow = 96 + 16

// Status is what the console shows: everything is read here, so that no two views disagree.
func (a *Appliance) Status() *console.Status {
	s := &console.Status{Version: a.cfg.Version, Started: a.started, Time: time.Now(), Shards: len(a.shards),
		Ports: map[string]ingress.PortStats{}, Attached: map[string]any{}, Links: map[string]console.Link{}}
	var l dataplane.Ledger
	for _, sh := range a.shards {
		sh.Ledger(&l)
		s.Memory.FlowCapacity += sh.Flows()
		s.Memory.Slots += sh.Slots()
	}
	s.Memory.SlotBytes, s.Memory.FlowBytes = bytesPerSlot, bytesPerFlow
	s.Memory.Replica.Capacity = uint64(a.cfg.ReplicaMB) << 20
	s.SetLedger(&l, &a.reasons, console.ProblemNames())
	s.Packets.Layer2 = map[string]uint64{}
	for i, name := range a.cfg.Dataplane.Layer2.Names() {
		if name != "" {
			s.Packets.Layer2[name] = l.Layer2[i]
		}
	}
	s.Memory.Flows = int(l.Flows)
	for side := range ingress.Side(2) {
		s.Ports[side.String()] = l.Wire[side]
	}
	if a.wire != nil && a.wire.afxdp != nil {
		report := a.wire.afxdp.Report()
		if report.PinsEnd && report.Policy == "open" {
			s.Degraded = append(s.Degraded, "on-process-failure: "+afxdp.PinsEnd)
		}
		for side, r := range report.Ports {
			s.Links[ingress.Side(side).String()] = linkOf(&r)
			s.Attached[ingress.Side(side).String()] = r
			if r.ModeAsked != r.Mode {
				s.Degraded = append(s.Degraded, fmt.Sprintf("%s port %s: the XDP program runs in %s mode, %s was asked for", r.Side, r.Interface, r.Mode, r.ModeAsked))
			}
			if !r.Carrier {
				s.Degraded = append(s.Degraded, fmt.Sprintf("%s port %s: the link is down", r.Side, r.Interface))
			}
		}
	}
	if a.coord != nil {
		s.Workers, s.Fleet, s.NotReady = a.coord.Status()
		s.Stages = a.coord.Stages()
		s.Degraded = append(s.Degraded, a.coord.Degraded()...)
		s.Configuration = a.config.status(a.coord.Rollout())
		for _, why := range s.Configuration.Refused {
			s.Degraded = append(s.Degraded, fmt.Sprintf("configuration: generation %d stays, the newer one was refused: %s", s.Configuration.Generation, why))
		}
		for _, why := range s.Configuration.Waiting {
			s.Degraded = append(s.Degraded, "configuration: "+why)
		}
	}
	if a.volatile != "" {
		s.Degraded = append(s.Degraded, a.volatile)
	}
	if a.workers != nil {
		s.Refused = a.workers.refused()
		if a.workers.local != nil {
			s.Confinement = a.workers.local.Confinement()
		}
	}
	if a.events != nil {
		s.Events = a.events.Counters()
		if err := a.events.Failing(); err != nil {
			s.Degraded = append(s.Degraded, fmt.Sprintf("events: they are being lost, %d so far: %v", s.Events.Lost, err))
		}
	}
	s.Reports = a.reports.all()
	missing, differs := a.linkProblems()
	s.NotReady, s.Degraded = append(s.NotReady, missing...), append(s.Degraded, differs...)
	s.Ready = a.coord != nil && len(s.NotReady) == 0
	return s
}
