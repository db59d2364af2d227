package ids

import "github.com/granule-nf/granule/lambdaworker/nf"

// Stats are the function's own counters.
type Stats struct {
	Packets     uint64
	Unreadable  uint64 // no IP, or an IP header that can't be
	BadChecksum uint64
	Reassembled uint64 // datagrams put together
	Gaps        uint64
	Rewritten   uint64 // packets whose bytes contradicted what was inspected before
	Alerts      uint64
	Dropped     uint64
	DroppedFlow uint64
	Rejects     uint64 // messages sent
	RejectsLost uint64 // not sent: no room, or nothing to answer to
}

// Report implements nf.NF.
func (n *IDS) Report(r *nf.Report) {
	if r.Counters == nil {
		r.Counters = map[string]int64{}
	}
	s, e, t, f, h := &n.stats, n.engine.Stats(), n.streams.Stats(), n.frags.Stats(), n.http.Stats()
	for name, v := range map[string]uint64{
		"packets": s.Packets, "unreadable": s.Unreadable, "bad_checksum": s.BadChecksum, "reassembled": s.Reassembled, "gaps": s.Gaps,
		"rewritten": s.Rewritten, "alerts": s.Alerts, "dropped": s.Dropped, "dropped_flow": s.DroppedFlow, "rejects": s.Rejects, "rejects_lost": s.RejectsLost,
		"candidates": e.Candidates, "matches": e.Matches, "suppressed": e.Suppressed, "queue_full": e.QueueFull, "flowbits_full": e.BitsFull,
		"records_full": e.RecordsFull, "thresholds_full": e.LimitsFull, "regex_given_up": e.RegexGivenUp,
		"sessions": t.Sessions, "midstream": t.Midstream, "out_of_order": t.OutOfOrder, "overlaps": t.Overlaps, "overlaps_different": t.Different,
		"stream_no_memory": t.NoMemory, "depth_reached": t.DepthReached, "segments_rejected": t.Rejected,
		"fragments": f.Fragments, "fragments_bad": f.Bad, "fragments_timed_out": f.TimedOut,
		"http_requests": h.Requests, "http_responses": h.Responses, "http_no_memory": h.NoMemory, "http_no_slot": h.NoSlot, "http_desync": h.Desync,
		"rules_loaded": uint64(len(n.engine.Signatures())), "rules_skipped": uint64(len(n.summary.Skipped)),
	} {
		r.Counters[name] += int64(v)
	}
	for _, sig := range n.engine.Signatures() {
		r.Rules = append(r.Rules, nf.RuleCount{File: sig.Rule.File, Line: sig.Rule.Line, Packets: sig.Matches, Bytes: sig.Bytes, ID: uint64(sig.Rule.SID)})
	}
}
