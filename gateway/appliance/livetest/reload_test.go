package livetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

// refusing is statefulRules with one rule more.
var refusing = strings.Replace(statefulRules, "tcp dport 9 counter drop", "tcp dport 9 counter drop\n    udp dport 7001 counter drop", 1)

// arrives sends a few datagrams to a port outside and returns how many got there.
func (l *live) arrives(port int) uint64 {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	udp := traffic.UDP{From: l.topo.Inside, To: l.topo.Outside, Address: topo.OutsideIP, Port: port, Count: 20, Rate: 200, Linger: 300 * time.Millisecond}
	r, err := udp.Run(ctx)
	if err != nil {
		l.t.Error(err)
	}
	return r.Received
}

func (l *live) hup() {
	l.t.Helper()
	if err := l.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) rules(text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, "edge.nft"), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// Under a running transfer a rule is added: it holds from the reload on, and the transfer does not notice. A file with a mistake
// changes nothing. Each SIGHUP reopens the event log.
func TestLiveReload(t *testing.T) {
	events := filepath.Join(t.TempDir(), "eve.json")
	l := newLive(t, "--events", events)
	l.standby()
	if n := l.arrives(7001); n != 20 {
		t.Fatalf("%d of 20 datagrams to port 7001 arrive before there is a rule against them", n)
	}
	running := false
	l.intact(l.transfer(96<<20, func() {
		time.Sleep(300 * time.Millisecond) // into the transfer
		if err := os.Rename(events, events+".1"); err != nil {
			t.Error(err)
		}
		l.rules(refusing)
		l.hup()
		l.until("generation 2 runs", func() bool {
			s, err := l.status()
			running = err == nil && s.Ledger.InFlight > 0 || running
			return err == nil && s.Configuration.Generation == 2
		})
		if _, err := os.Stat(events); err != nil {
			t.Errorf("the event log was not reopened: %v", err)
		}
		l.rules(strings.Replace(statefulRules, "counter drop", "counter dropp", 1))
		l.hup()
		l.until("the reload is refused", func() bool {
			s, err := l.status()
			return err == nil && len(s.Configuration.Refused) > 0
		})
	}))
	if !running {
		t.Error("nothing was in flight while the rules changed: the transfer was over")
	}
	if n := l.arrives(7001); n != 0 {
		t.Errorf("%d datagrams to port 7001 arrive though a rule drops them", n)
	}
	s := l.closed(true)
	if r := s.Configuration.Refused[0]; s.Configuration.Generation != 2 || !strings.Contains(r, "edge.nft:4:") || !strings.Contains(strings.Join(s.Degraded, "\n"), r) {
		t.Errorf("%+v, degraded %q; expected generation 2 and the place of the mistake", s.Configuration, s.Degraded)
	}
	if d := s.Ledger.Dropped; s.Ledger.DroppedTotal() != 20 || d["firewall_rule"] != 20 {
		t.Errorf("dropped %v; expected the 20 datagrams to port 7001 alone", d)
	}
	if s.Fleet.Lost+s.Fleet.Failed > 0 {
		t.Errorf("lost %d, failed %d: the old workers did not leave in peace", s.Fleet.Lost, s.Fleet.Failed)
	}
	for _, w := range s.Workers {
		if w.Of != 2 && w.State != "gone" {
			t.Errorf("worker %d of generation %d is still %s", w.ID, w.Of, w.State)
		}
	}
}
