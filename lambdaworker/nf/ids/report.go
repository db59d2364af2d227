package ids

import "github.com/granule-nf/granule/lambdaworker/nf"

// Stats are the function's own counters.
type Stats struct {
	Packets     uint64
	Unreadable  uint64 // no IP, or an IP header that can't be
	BadChecksum uint64
	Reassembled uint64 // datagrams put together
	Carried     uint64 // packets within those of tunnels
	Gaps        uint64
	Quiet       uint64 // sessions looked at because they fell silent
	Rewritten   uint64 // packets whose bytes contradicted what was inspected before
	Alerts      uint64
	Dropped     uint64
	DroppedFlow uint64
	Rejects     uint64 // messages sent
	RejectsLost uint64 // not sent: no room, or nothing to answer to
	GaveUp      uint64 // inspections that took too long
}

// counterNames are the counters of a report, in the order in which they travel.
var counterNames = [...]string{
	"packets", "unreadable", "bad_checksum", "reassembled", "carried", "gaps", "quiet", "rewritten", "alerts", "dropped", "dropped_flow", "rejects",
	"rejects_lost", "candidates", "matches", "suppressed", "queue_full", "flowbits_full", "flowints_full", "records_full", "thresholds_full", "xbits_full",
	"budget_exhausted", "rules_given_up", "ticks", "sessions", "midstream", "out_of_order", "overlaps", "overlaps_different", "stream_no_memory",
	"depth_reached", "segments_rejected", "fragments", "fragments_bad", "fragments_timed_out", "http_requests", "http_responses",
	"http_no_memory", "http_no_slot", "http_desync",
}

type counters [len(counterNames)]uint64

// totals returns the counters, with those of predecessors.
func (n *IDS) totals() counters {
	s, e, t, f, h := &n.stats, n.engine.Stats(), n.streams.Stats(), n.frags.Stats(), n.http.Stats()
	c := counters{
		s.Packets, s.Unreadable, s.BadChecksum, s.Reassembled, s.Carried, s.Gaps, s.Quiet, s.Rewritten, s.Alerts, s.Dropped, s.DroppedFlow, s.Rejects,
		s.RejectsLost, e.Candidates, e.Matches, e.Suppressed, e.QueueFull, e.BitsFull, e.IntsFull, e.RecordsFull, e.LimitsFull, e.XBitsFull, s.GaveUp, e.Exhausted, e.Ticks,
		t.Sessions, t.Midstream, t.OutOfOrder, t.Overlaps, t.Different, t.NoMemory, t.DepthReached, t.Rejected, f.Fragments, f.Bad,
		f.TimedOut, h.Requests, h.Responses, h.NoMemory, h.NoSlot, h.Desync,
	}
	for i, v := range n.inherited {
		c[i] += v
	}
	return c
}

// Report implements nf.NF.
func (n *IDS) Report(r *nf.Report) {
	if r.Counters == nil {
		r.Counters = map[string]int64{}
	}
	for i, v := range n.totals() {
		r.Counters[counterNames[i]] += int64(v)
	}
	r.Counters["rules_loaded"] = int64(len(n.engine.Signatures()))
	r.Counters["rules_skipped"] = int64(len(n.summary.Skipped))
	r.Counters["memory_used"] = int64(n.arena.Used())
	for _, sig := range n.engine.Signatures() {
		r.Rules = append(r.Rules, nf.RuleCount{File: sig.Rule.File, Line: sig.Rule.Line, Packets: sig.Matches, Bytes: sig.Bytes, ID: uint64(sig.Rule.SID),
			Evaluations: sig.Work.Evaluations, Ticks: sig.Work.Ticks, Exhausted: sig.Work.Exhausted})
	}
}
