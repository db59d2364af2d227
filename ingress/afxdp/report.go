package afxdp

import (
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/ethtool"
	"github.com/granule-nf/granule/ingress/xdpprog"
)

// Report is what a wire got for what it asked, for status pages, metrics and logs.
type Report struct {
	Instance    string
	Pins        string // folder of the pinned program and maps
	Policy      string // on-process-failure: "open" or "closed"
	MaxAge      string // heartbeat age at which the policy takes effect
	PinsEnd     bool   // pins end with the process: its mount namespace has a BPF file system of its own, and Policy is void
	LeavesRelay bool   // Close leaves the program in place
	Ports       [2]PortReport
}

// PortReport is Report's part about one port.
type PortReport struct {
	Side, Interface   string
	Driver, Version   string
	MTU, Queues       int
	Carrier           bool
	Link              LinkState // as the kernel has it now
	CarrierChanges    uint64
	ModeAsked, Mode   string // "native" or "generic"
	TakenOver         bool   // the program of a former run was updated in place
	Promiscuous       string // "no", "already", "until exit", "outlives us"
	Offloads          map[ethtool.Feature]bool
	Socket            Facts // of every queue's socket
	ZeroCopyQueues    int   // how many queues got zero-copy
	Outcomes          map[string]xdpprog.Tally
	OutcomesAvailable bool // false: the counters could not be read just now
}

// Report describes the wire as it is now. It makes a few system calls; not for the packet path.
func (w *Wire) Report() Report {
	r := Report{
		Instance: w.cfg.Instance, Pins: w.relay.Pins(), Policy: "closed",
		MaxAge: w.cfg.MaxAge.String(), PinsEnd: w.pinsEnd, LeavesRelay: w.cfg.LeaveRelay,
	}
	if w.cfg.FailOpen {
		r.Policy = "open"
	}
	for s := range r.Ports {
		r.Ports[s] = w.portReport(ingress.Side(s))
	}
	return r
}

func (w *Wire) portReport(s ingress.Side) PortReport {
	f := w.nics[s]
	p := PortReport{
		Side: s.String(), Interface: f.Name, Driver: f.Driver, Version: f.Version, MTU: f.MTU, Queues: len(w.ports[s]),
		Carrier: w.links.up[s].Load(), CarrierChanges: w.links.changes[s].Load(),
		ModeAsked: w.cfg.Mode.String(), Mode: w.relay.Mode(int(s)).String(), TakenOver: w.relay.TakenOver(int(s)),
		Promiscuous: w.promisc[s].String(), Offloads: f.Offloads, Outcomes: map[string]xdpprog.Tally{},
	}
	now, _ := w.links.now()
	p.Link = now[s]
	for i, port := range w.ports[s] {
		if i == 0 {
			p.Socket = port.facts
		}
		if port.facts.ZeroCopy {
			p.ZeroCopyQueues++
		}
	}
	tallies, err := w.relay.Tallies(int(s))
	p.OutcomesAvailable = err == nil
	for o, t := range tallies {
		p.Outcomes[xdpprog.Outcome(o).String()] = t
	}
	return p
}

func (p *promisc) String() string {
	switch {
	case p == nil:
		return "no"
	case p.socket >= 0:
		return "until exit"
	case p.set:
		return "outlives us"
	}
	return "already"
}
