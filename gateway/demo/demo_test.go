package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/chain"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/traffic"
)

// TestDemoRefuses says what is missing before anything is made.
func TestDemoRefuses(t *testing.T) {
	s := Config{Bootstrap: filepath.Join(t.TempDir(), "none"), Traffic: time.Second}
	want := "needs root"
	if os.Geteuid() == 0 {
		want = "--traffic 1s"
	}
	if _, err := s.check(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, expected %q", err, want)
	}
	if os.Geteuid() != 0 {
		return
	}
	s.Traffic = 2 * time.Second
	if _, err := s.check(); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without an artifact: %v", err)
	}
}

// TestDemoConfiguration: what the demo shows as a first configuration is one.
func TestDemoConfiguration(t *testing.T) {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := chain.Load(filepath.Join(dir, "granule.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := cfg.Compile(chain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Chains) != 1 || len(p.Chains[0].Stages) != 1 {
		t.Errorf("%d chains", len(p.Chains))
	}
}

// TestDemoVerdict: each promise that is broken is a FAIL, and only then.
func TestDemoVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *run)
		good  bool
	}{
		"as promised":  {func(*run) {}, true},
		"bytes lost":   {func(r *run) { r.tcp[1].Flows[0].Received-- }, false},
		"bytes moved":  {func(r *run) { r.tcp[0].Flows[0].ReceivedHash[0]++ }, false},
		"packet lost":  {func(r *run) { r.udp[0].Received-- }, false},
		"overtaken":    {func(r *run) { r.udp[1].Reordered = 1 }, false},
		"doubled":      {func(r *run) { r.udp[1].Duplicates = 1 }, false},
		"no successor": {func(r *run) { r.kill.successor = 0 }, false},
		"let through":  {func(r *run) { r.closed.Received = 1 }, false},
		"not closed":   {func(r *run) { r.final.Ledger.Forwarded++ }, false},
		"in flight":    {func(r *run) { r.final.Ledger.Forwarded--; r.final.Ledger.InFlight++ }, false},
	} {
		t.Run(name, func(t *testing.T) {
			out := new(bytes.Buffer)
			r := run{view: newView(out), kill: kill{worker: 1, successor: 2, pid: 3}, closed: traffic.UDPResult{Sent: closedPackets}, final: &rig.Status{}}
			for side := range 2 {
				r.tcp[side].Flows = []traffic.TCPFlow{{Sent: 1_234_567, Received: 1_234_567}}
				r.udp[side].Sent, r.udp[side].Received = 9, 9
			}
			r.final.Ledger.Account = rig.Account{Received: 150, Forwarded: 100, Dropped: map[string]uint64{"firewall_policy": closedPackets}}
			c.spoil(&r)
			if good := r.verdict(); good != c.good || strings.Contains(out.String(), "FAIL") == c.good {
				t.Errorf("verdict %t:\n%s", good, out)
			}
			if !strings.Contains(out.String(), "1,234,567") || strings.Contains(out.String(), "\x1b") {
				t.Errorf("not a terminal, and for people:\n%s", out)
			}
		})
	}
}
