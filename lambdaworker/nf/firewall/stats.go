package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// stat is what the firewall counts beside its rules' counters; the order is that of deltas.
type stat uint8

const (
	accepted stat = iota
	droppedByRule
	droppedByPolicy
	rejected
	droppedInvalid
	droppedMalformed
	malformedSeen
	rejectsAnswered
	rejectsUnanswered // no answer may be given (RFC 1122, RFC 4443, RFC 9293), or the batch had no room
	eventsSuppressed
	evictedUnanswered // of the stage's flow table while it was full
	evictedAnswered
	evictedEstablished
	flowsRefused // no room: all that could have gone were in use
	numStats
)

var statNames = [numStats]string{
	"accepted", "dropped_firewall_rule", "dropped_firewall_policy", "dropped_firewall_reject", "dropped_firewall_invalid", "dropped_malformed",
	"malformed", "rejects_answered", "rejects_unanswered", "events_suppressed",
	"flows_evicted_unanswered", "flows_evicted_answered", "flows_evicted_established", "flows_refused",
}

// statOf is the stat of each verdict that the firewall gives.
var statOf = [nf.NumVerdicts]stat{
	nf.Pass: accepted, nf.DropRule: droppedByRule, nf.DropPolicy: droppedByPolicy, nf.DropReject: rejected, nf.DropInvalid: droppedInvalid,
	nf.DropMalformed: droppedMalformed,
}

// countEvictions adds what the flow table gave up since the last call.
func (f *Firewall) countEvictions() {
	if f.track == nil {
		return
	}
	now := [...]uint64{f.flows.Evicted(state.Unanswered), f.flows.Evicted(state.Answered), f.flows.Evicted(state.Established), f.flows.Refused()}
	for i, n := range now {
		f.stats[evictedUnanswered+stat(i)] += n - f.evicted[i]
	}
	f.evicted = now
}
