package nftest_test

import (
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf/nftest"
)

func TestFirstPackets(t *testing.T) {
	stage := nftest.Stage{NFs: []string{"firstpackets: {limit: 2}"}}
	p := nftest.UDP("10.0.0.1:1000", "192.0.2.1:53", "query")
	got := nftest.Run(stage.Build(t), nftest.Packets(p, p, p), 64)
	if v := got.Verdicts(); v != "pass pass rate_limit" {
		t.Errorf("verdicts: %s", v)
	}
	capture := nftest.Packets(nftest.Connection("10.0.0.1:1000", "192.0.2.1:80", "GET /", "200 OK")...)
	nftest.HandOff(t, stage, capture)   // cut at every k-th packet, state moved: the same packets, events, counters
	nftest.ZeroAlloc(t, stage, capture) // nothing allocated once warm
	nftest.Malformed(t, stage)          // no capture that misled a parser does harm
}
