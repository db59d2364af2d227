package livetest

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/ingress/xdpprog"
)

// tally is how many frames, from both sides, the XDP program has treated so; the pinned counters tell it while no gateway answers.
func (l *live) tally(o xdpprog.Outcome) (n uint64) {
	l.t.Helper()
	for side := range 2 {
		tallies, err := xdpprog.PinnedTallies("", l.instance(), side)
		if err != nil {
			l.t.Fatal(err)
		}
		n += tallies[o].Packets
	}
	return n
}

// A gateway that is dead or hung leaves the wire to its XDP program, which relays or drops as it was told; a transfer that runs
// meanwhile goes on or stalls, and is whole in the end. Then the gateway has the wire again.
func TestLiveGatewayDeath(t *testing.T) {
	relayed := [2]xdpprog.Outcome{xdpprog.RelayedStale, xdpprog.RelayedNoSocket}
	dropped := [2]xdpprog.Outcome{xdpprog.DroppedStale, xdpprog.DroppedNoSocket}
	for _, tt := range []struct {
		name, policy string
		hangs        bool
		want         xdpprog.Outcome
		never        [2]xdpprog.Outcome
	}{
		{"killed open", "open", false, xdpprog.RelayedNoSocket, dropped},
		{"hangs open", "open", true, xdpprog.RelayedStale, dropped},
		{"killed closed", "closed", false, xdpprog.DroppedNoSocket, relayed},
		{"hangs closed", "closed", true, xdpprog.DroppedStale, relayed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLive(t, "--on-process-failure", tt.policy)
			r := l.transfer(1<<20, func() {
				if n := l.tally(tt.want); n > 0 {
					t.Errorf("%d frames are %s while the gateway lives", n, tt.want)
				}
				if tt.hangs {
					l.signal(syscall.SIGSTOP)
				} else {
					l.stop(syscall.SIGKILL)
				}
				l.until("the program's policy is at work", func() bool { return l.tally(tt.want) > 0 })
				if tt.policy == "open" {
					l.crosses(1 << 20)
				} else {
					l.nothingCrosses(tt.want)
				}
				if tt.hangs {
					l.signal(syscall.SIGCONT)
				} else {
					l.start()
				}
			})
			l.whole(r)
			before, past := l.closed(true).Ledger.Forwarded, l.tally(tt.want)
			l.intact(l.transfer(1<<20, nil))
			if after := l.closed(true).Ledger.Forwarded; after <= before {
				t.Error("back again, the gateway forwards nothing")
			}
			if n := l.tally(tt.want); n > past {
				t.Errorf("%d frames were %s after the gateway was back", n-past, tt.want)
			}
			if n := l.tally(tt.never[0]) + l.tally(tt.never[1]); n > 0 {
				t.Errorf("%d frames were %s or %s under policy %s", n, tt.never[0], tt.never[1], tt.policy)
			}
		})
	}
}

// signal sends the gateway a signal that does not end it.
func (l *live) signal(sig os.Signal) {
	l.t.Helper()
	if err := l.cmd.Process.Signal(sig); err != nil {
		l.t.Error(err)
	}
}

// nothingCrosses checks that the transfer stands still, as soon as what was under way has arrived, though its sender keeps trying.
func (l *live) nothingCrosses(dropped xdpprog.Outcome) {
	l.t.Helper()
	from, since := l.tcp.Received.Load(), time.Now()
	l.until("nothing has arrived for 0.3 s", func() bool {
		if n := l.tcp.Received.Load(); n != from {
			from, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	tries := l.tally(dropped)
	l.until("the sender has tried again", func() bool { return l.tally(dropped) > tries })
	if n := l.tcp.Received.Load(); n != from {
		l.t.Errorf("%d bytes crossed a closed gateway", n-from)
	}
}
