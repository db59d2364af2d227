package livetest

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/gatewaytest"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
)

// These tests run the real thing: the binary, AF_XDP ports on veth, local Lambda workers as processes,
// and traffic between two hosts in namespaces of their own.

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// live is a topology with a gateway process in the middle.
type live struct {
	t       *testing.T
	topo    *topo.Topo
	dir     string
	admin   string
	granule string // the program
	flags   []string
	cmd     *exec.Cmd
	log     *os.File
	seen    traces

	tcp    *traffic.Meter // of the transfer that runs
	window int            // of transfers: bounds what is in flight; 0: as the kernel grows it
}

// liveConfig is what may differ from one gateway to the next.
type liveConfig struct {
	wire  topo.Config
	files map[string]string // beside granule.yaml and edge.nft, or in their place
	flags []string
}

const statefulRules = `table inet filter {
  chain forward {
    type filter hook forward priority 0; policy accept;
    tcp dport 9 counter drop
    meta l4proto udp counter
  }
}
`

func newLive(t *testing.T, flags ...string) *live { return newLiveOn(t, topo.Config{}, flags...) }

func newLiveOn(t *testing.T, wire topo.Config, flags ...string) *live {
	t.Helper()
	return newLiveWith(t, liveConfig{wire: wire, flags: flags})
}

func newLiveWith(t *testing.T, cfg liveConfig) *live {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
	if testing.Short() {
		t.Skipf("%s starts a gateway and workers, which -short leaves out", t.Name())
	}
	granule, artifact := gatewaytest.Granule(t), gatewaytest.Bootstrap(t)
	tp, err := topo.New(cfg.wire)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{t: t, topo: tp, dir: t.TempDir(), granule: granule, flags: append([]string{"--bootstrap", artifact}, cfg.flags...)}
	l.flags = append([]string{"--state-dir", filepath.Join(l.dir, "state")}, l.flags...)
	t.Cleanup(func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
		l.noNamespaceLeft()
	})
	l.admin = "unix:" + filepath.Join(l.dir, "admin.sock")
	files := map[string]string{"granule.yaml": gatewaytest.AcceptAll, "edge.nft": statefulRules}
	maps.Copy(files, cfg.files)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if l.log, err = os.Create(filepath.Join(l.dir, "gateway.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.stop(os.Interrupt)
		l.nothingLeft()
		if t.Failed() {
			t.Logf("the gateway said:\n%s", l.said())
		}
		_ = l.log.Close()
	})
	l.start()
	return l
}

// instance is the name of the gateway's pinned objects.
func (l *live) instance() string { return filepath.Base(l.topo.Gateway.Name) }

// said is the gateway's log.
func (l *live) said() string {
	text, err := os.ReadFile(l.log.Name())
	if err != nil {
		l.t.Error(err)
	}
	return string(text)
}

// start runs the gateway and waits until it is ready.
func (l *live) start() {
	l.t.Helper()
	argv := l.topo.Gateway.Command(append([]string{l.granule, "run", "--config", filepath.Join(l.dir, "granule.yaml"), "--inside", topo.InsideIf,
		"--outside", topo.OutsideIf, "--admin", l.admin, "--instance", l.instance(), "--log-level", "debug"}, l.flags...)...)
	l.cmd = exec.Command(argv[0], argv[1:]...)
	l.cmd.Stdout, l.cmd.Stderr = l.log, l.log
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.until("the gateway is ready", func() bool {
		s, err := l.status()
		return err == nil && s.Ready
	})
}

// stop ends the gateway with sig, and waits until it has ended.
func (l *live) stop(sig os.Signal) {
	if l.cmd == nil {
		return
	}
	cmd := l.cmd
	l.cmd = nil
	l.seen.note(cmd.Process.Pid)
	_ = cmd.Process.Signal(syscall.SIGCONT)
	_ = cmd.Process.Signal(sig)
	timer := time.AfterFunc(20*time.Second, func() {
		l.t.Error("the gateway did not end within 20 s")
		_ = cmd.Process.Kill()
	})
	err := cmd.Wait()
	timer.Stop()
	if sig == os.Interrupt && err != nil {
		l.t.Errorf("the gateway ended with %v", err)
	}
}

func (l *live) status() (*console.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, s, err := console.Fetch(ctx, l.admin)
	return s, err
}

func (l *live) until(what string, ok func() bool) {
	l.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("waited 30 s until %s", what)
		}
	}
}

// active returns the process of the worker that has the seat.
func (l *live) active() int {
	l.t.Helper()
	pid := 0
	l.until("the active worker has reported", func() bool {
		s, err := l.status()
		if err != nil {
			return false
		}
		for _, w := range s.Workers {
			var report struct {
				PID int `json:"pid"`
			}
			if w.State == "active" && json.Unmarshal(s.Reports[w.ID], &report) == nil && report.PID > 0 {
				pid = report.PID
			}
		}
		return pid > 0
	})
	return pid
}

// standby waits until a worker stands by: the premise of every promise about losing one.
func (l *live) standby() {
	l.t.Helper()
	l.until("a worker stands by", func() bool {
		s, err := l.status()
		if err != nil {
			return false
		}
		for _, w := range s.Workers {
			if w.State == "standby" {
				return true
			}
		}
		return false
	})
}

// closed checks that the ledger closes, and that nothing was dropped.
func (l *live) closed(drops bool) *console.Status {
	l.t.Helper()
	s, err := l.status()
	if err != nil {
		l.t.Fatal(err)
	}
	g := s.Ledger
	if in, out := g.Received+g.Injected, g.Forwarded+g.Bypassed+g.DroppedTotal()+g.InFlight; in != out {
		l.t.Errorf("the ledger does not close: %d in, %d accounted for", in, out)
	}
	if !drops && g.DroppedTotal() > 0 {
		l.t.Errorf("dropped: %s", console.ByReason(g.Dropped))
	}
	return s
}
