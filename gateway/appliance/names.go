package appliance

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay"
)

func verdictNames() []string {
	names := make([]string, nf.NumVerdicts)
	for i := range names {
		names[i] = nf.Verdict(i).String()
	}
	return names
}

func refusalNames() []string {
	names := make([]string, relay.NumRefusals)
	for i := range names {
		names[i] = relay.Refusal(i).String()
	}
	return names
}
