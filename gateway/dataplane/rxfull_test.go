package dataplane

import (
	"testing"

	"github.com/granule-nf/granule/ingress"
)

// lossyPort has lost frames before anybody had them.
type lossyPort struct {
	*fakePort
	lost uint64
}

func (p *lossyPort) Stats(s *ingress.PortStats) { s.RxRingFull += p.lost; s.RxDropped++ }

// What the kernel dropped because a ring was full is in the ledger, once.
func TestLossInRingsIsInTheLedger(t *testing.T) {
	r := newRig(t, nil)
	p := &lossyPort{r.ports[0], 416}
	r.s.ports.port[0] = p
	r.s.readPorts()
	r.s.readPorts()
	p.lost += 100
	r.s.readPorts()
	l := r.ledger()
	if err := l.Check(); err != nil || l.Ports[0].Received != 517 || l.Ports[0].Dropped[RxFull] != 517 {
		t.Errorf("%v; received %d, dropped in rings %d; expected 517 each", err, l.Ports[0].Received, l.Ports[0].Dropped[RxFull])
	}
}
