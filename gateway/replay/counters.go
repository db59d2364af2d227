package replay

import (
	"encoding/json"
	"io"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Counters is what --counters writes. received = forwarded + bypassed + the sum of dropped; frames that functions made
// are counted beside it.
type Counters struct {
	Packets struct {
		Received  uint64            `json:"received"`
		Forwarded uint64            `json:"forwarded"`
		Bypassed  uint64            `json:"bypassed"`
		Dropped   map[string]uint64 `json:"dropped"` // by reason; reasons that never occurred are left out
		Injected  uint64            `json:"injected"`
	} `json:"packets"`
	NFs        []nf.Report `json:"nfs"`
	EventsLost uint64      `json:"events_lost"`
}

func (r *replay) counters() Counters {
	var f Counters
	f.Packets.Received, f.Packets.Forwarded = r.packets.received, r.packets.forwarded
	f.Packets.Bypassed, f.Packets.Injected = r.packets.bypassed, r.packets.injected
	f.Packets.Dropped = map[string]uint64{}
	for reason, n := range r.packets.dropped {
		if n > 0 { // two reasons may share a name: malformed, found by the gateway or by a function
			f.Packets.Dropped[dropReasons[reason]] += n
		}
	}
	f.NFs = reportsOf(r.plan)
	f.EventsLost = r.events.lost
	return f
}

func reportsOf(p *chain.Plan) []nf.Report {
	reports := []nf.Report{}
	for _, c := range p.Chains {
		for _, s := range c.Stages {
			reports = append(reports, s.Pipeline.Reports()...)
		}
	}
	return reports
}

func writeCounters(w io.Writer, f Counters) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(f)
}
