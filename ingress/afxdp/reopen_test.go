package afxdp

import (
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

// TestABusyQueueIsWaitedFor: the kernel lets go of a queue some time after its socket was closed, so one that is busy is refused only
// after a while, and the attempts leave nothing mapped.
func TestABusyQueueIsWaitedFor(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	before, err := ringMappings()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = tp.Gateway.Do(func() error { _, err := OpenPort(Config{Ifindex: w.nics[0].Index}, nil); return err })
	if err == nil || !strings.Contains(err.Error(), "busy") || time.Since(began) < releaseTime {
		t.Errorf("after %s: %v; expected to be told that the queue is busy, after %s", time.Since(began), err, releaseTime)
	}
	if after, err := ringMappings(); err != nil || len(after) != len(before) {
		t.Errorf("%d mappings before, %d after (%v)", len(before), len(after), err)
	}
}
