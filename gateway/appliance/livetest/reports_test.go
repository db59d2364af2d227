package livetest

import (
	"encoding/json"
	"testing"

	"github.com/granule-nf/granule/perf/topo"
)

// With two RX queues a worker has two connections. What status shows of it is all that both shards sent it.
func TestLiveReportsAddUp(t *testing.T) {
	l := newLiveOn(t, topo.Config{Queues: 2})
	l.whole(l.transfer(4<<20, nil))
	var told, sent uint64
	l.until("reports tell of every packet that was sent to workers", func() bool {
		s, err := l.status()
		if err != nil {
			return false
		}
		told, sent = 0, s.Packets.BatchPackets
		both := false
		for _, text := range s.Reports {
			var r struct {
				Connections int
				Packets     uint64
				NFs         []json.RawMessage
			}
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			both = both || r.Connections == 2 && len(r.NFs) > 0
			told += r.Packets
		}
		return both && told == sent && sent > 0
	})
	t.Logf("%d packets sent to workers, %d told", sent, told)
}
