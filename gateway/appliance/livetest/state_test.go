package livetest

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// trackingRules accept a TCP packet in mid-stream only if its connection was seen to begin.
const trackingRules = `table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state invalid counter drop
    ct state established,related counter accept
    tcp flags & (fin|syn|rst|ack) == syn ct state new counter accept
    meta l4proto udp ct state new counter accept
  }
}
`

// A worker is killed under a running transfer, and so is its successor, then: the connection goes on, because who comes next knows it.
func TestLiveStateOutlivesItsWorker(t *testing.T) {
	l := newLiveWith(t, liveConfig{files: map[string]string{"edge.nft": trackingRules}, flags: []string{"--replica-memory", replicaMemory()}})
	l.standby()
	first := l.active()
	r := l.transfer(192<<20, func() {
		time.Sleep(500 * time.Millisecond) // into the transfer, wherever that is
		_ = syscall.Kill(first, syscall.SIGKILL)
		l.until("another worker has the seat", func() bool { return l.active() != first })
		l.standby()
		_ = syscall.Kill(l.active(), syscall.SIGKILL)
	})
	l.intact(r)
	s := l.closed(false)
	if s.Fleet.HandOffs != 2 || s.Packets.StateTransfers == 0 || s.Packets.StateTransferredBytes == 0 || s.Memory.Replica.Entries == 0 {
		t.Errorf("hand-offs %d, imports %d of %d bytes, %d entries in the replica; expected 2 hand-offs with an import each",
			s.Fleet.HandOffs, s.Packets.StateTransfers, s.Packets.StateTransferredBytes, s.Memory.Replica.Entries)
	}
}

// replicaMemory lets somebody see that the test fails without a replica: GRANULE_TEST_REPLICA=0.
func replicaMemory() string {
	if mib := os.Getenv("GRANULE_TEST_REPLICA"); mib != "" {
		return mib
	}
	return "64"
}
