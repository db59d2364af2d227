package firewall

import "github.com/granule-nf/granule/lambdaworker/nf"

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
	numStats
)

var statNames = [numStats]string{
	"accepted", "dropped_firewall_rule", "dropped_firewall_policy", "dropped_firewall_reject", "dropped_firewall_invalid", "dropped_malformed",
	"malformed", "rejects_answered", "rejects_unanswered", "events_suppressed",
}

// statOf is the stat of each verdict that the firewall gives.
var statOf = [nf.NumVerdicts]stat{
	nf.Pass: accepted, nf.DropRule: droppedByRule, nf.DropPolicy: droppedByPolicy, nf.DropReject: rejected, nf.DropInvalid: droppedInvalid,
	nf.DropMalformed: droppedMalformed,
}
