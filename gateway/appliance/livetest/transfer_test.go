package livetest

import (
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

func TestLiveTransfer(t *testing.T) {
	l := newLive(t)
	l.intact(l.transfer(64<<20, nil))
	s := l.closed(false)
	if s.Ledger.Forwarded < 3000 {
		t.Errorf("%d packets were forwarded: the traffic did not cross the workers", s.Ledger.Forwarded)
	}
}

// Two queues are two shards; veth spreads flows over them without regard to sub-flows, so half of all packets cross over.
func TestLiveTwoShards(t *testing.T) {
	l := newLiveOn(t, topo.Config{Queues: 2}, "--workers", "2")
	l.window = 256 << 10 // fewer packets than the ring between two shards holds: one that the scheduler lets wait must not cost any
	l.standby()
	pid := l.active()
	l.intact(l.transfer(32<<20, func() {
		time.Sleep(300 * time.Millisecond)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}))
	s := l.closed(false)
	if s.Shards != 2 || s.Packets.Steered == 0 {
		t.Errorf("%d shards, %d packets steered; expected two, and some", s.Shards, s.Packets.Steered)
	}
}

func TestLiveJumbo(t *testing.T) {
	l := newLiveOn(t, topo.Config{MTU: 9000}, "--jumbo")
	l.intact(l.transfer(64<<20, nil))
	s := l.closed(false)
	if n := s.Ledger.ForwardedBytes / max(s.Ledger.Forwarded, 1); n < 1500 {
		t.Errorf("packets of %d bytes on average: the frames were no jumbos", n)
	}
}

func TestLiveLinkFlaps(t *testing.T) {
	l := newLive(t)
	r := l.transfer(16<<20, func() {
		for range 3 {
			time.Sleep(200 * time.Millisecond)
			for _, up := range []bool{false, true} {
				if err := l.topo.Outside.Do(func() error { return topo.SetUp(topo.HostIf, up) }); err != nil {
					t.Error(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
	l.whole(r)
	l.closed(true)
}
