package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/granule-nf/granule/perf/traffic"
	"github.com/granule-nf/granule/relay/wire"
)

// The tests of this file run the real thing: the binary, AF_XDP ports on veth, local Lambda workers as processes, and
// traffic between two hosts in namespaces of their own.

var gatewayBinary = sync.OnceValues(func() (string, error) {
	artifact, err := bootstrap()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(artifact), "granule")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// live is a topology with a gateway process in the middle.
type live struct {
	t     *testing.T
	topo  *topo.Topo
	dir   string
	admin string
	flags []string
	cmd   *exec.Cmd
	log   *os.File
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
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	if testing.Short() {
		t.Skip("-short: it starts a gateway and workers")
	}
	if _, err := gatewayBinary(); err != nil {
		t.Fatal(err)
	}
	tp, err := topo.New(wire)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &live{t: t, topo: tp, dir: t.TempDir(), flags: flags}
	l.admin = "unix:" + filepath.Join(l.dir, "admin.sock")
	for name, text := range map[string]string{"granule.yaml": acceptAll, "edge.nft": statefulRules} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if l.log, err = os.Create(filepath.Join(l.dir, "gateway.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.stop(os.Interrupt)
		if t.Failed() {
			text, _ := os.ReadFile(l.log.Name())
			t.Logf("the gateway said:\n%s", text)
		}
	})
	l.start()
	return l
}

// start runs the gateway and waits until it is ready.
func (l *live) start() {
	l.t.Helper()
	binary, _ := gatewayBinary()
	argv := l.topo.Gateway.Command(append([]string{binary, "run", "--config", filepath.Join(l.dir, "granule.yaml"), "--inside", topo.InsideIf,
		"--outside", topo.OutsideIf, "--admin", l.admin, "--instance", filepath.Base(l.topo.Gateway.Name), "--log-level", "debug"}, l.flags...)...)
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
	_, s, err := fetchStatus(ctx, l.admin)
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

// transfer runs a paced TCP transfer and numbered UDP beside it, with fault done once they run.
type transfer struct {
	tcp    traffic.TCPResult
	udp    traffic.UDPResult
	tcpErr error
	udpErr error
}

func (l *live) transfer(bytes int64, fault func()) (r transfer) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		r.tcp, r.tcpErr = traffic.TCP{From: l.topo.Inside, To: l.topo.Outside, Address: topo.OutsideIP, Bytes: bytes, Timeout: 50 * time.Second}.Run(ctx)
	})
	wg.Go(func() {
		r.udp, r.udpErr = traffic.UDP{From: l.topo.Outside, To: l.topo.Inside, Address: topo.InsideIP, Flows: 8, Rate: 1000, Duration: 3 * time.Second, Linger: 10 * time.Second}.Run(ctx)
	})
	if fault != nil {
		fault()
	}
	wg.Wait()
	return r
}

func (l *live) intact(r transfer) {
	l.t.Helper()
	if r.tcpErr != nil || r.udpErr != nil {
		l.t.Fatalf("TCP: %v, UDP: %v", r.tcpErr, r.udpErr)
	}
	if !r.tcp.Intact() {
		l.t.Errorf("TCP: %d bytes sent, %d received, hashes equal: %v", r.tcp.Sent(), r.tcp.Received(), r.tcp.Intact())
	}
	if r.udp.Sent == 0 || r.udp.Lost() > 0 || r.udp.Reordered > 0 || r.udp.Duplicates > 0 || r.udp.Corrupt > 0 {
		l.t.Errorf("UDP: %d sent, %d lost, %d reordered, %d duplicated, %d corrupt", r.udp.Sent, r.udp.Lost(), r.udp.Reordered, r.udp.Duplicates, r.udp.Corrupt)
	}
}

// closed checks that the ledger closes, and that nothing was dropped.
func (l *live) closed(drops bool) *console.Status {
	l.t.Helper()
	s, err := l.status()
	if err != nil {
		l.t.Fatal(err)
	}
	g := s.Ledger
	if in, out := g.Received+g.Injected, g.Forwarded+g.Bypassed+sum(g.Dropped)+g.InFlight; in != out {
		l.t.Errorf("the ledger does not close: %d in, %d accounted for", in, out)
	}
	if !drops && sum(g.Dropped) > 0 {
		l.t.Errorf("dropped: %s", byReason(g.Dropped))
	}
	return s
}

func TestLiveTransfer(t *testing.T) {
	l := newLive(t)
	l.intact(l.transfer(64<<20, nil))
	s := l.closed(false)
	if s.Ledger.Forwarded < 3000 {
		t.Errorf("%d packets were forwarded: the traffic did not cross the workers", s.Ledger.Forwarded)
	}
	l.stop(os.Interrupt)
	if left := childrenNamed(t, "bootstrap", l.dir); len(left) > 0 {
		t.Errorf("workers left behind: %v", left)
	}
}

// Two queues are two shards; veth spreads flows over them without regard to sub-flows, so half of all packets cross over.
func TestLiveTwoShards(t *testing.T) {
	l := newLiveOn(t, topo.Config{Queues: 2}, "--workers", "2")
	l.standby()
	pid := l.active()
	l.intact(l.transfer(32<<20, func() {
		time.Sleep(300 * time.Millisecond)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}))
	s := l.closed(false)
	if s.Shards != 2 || s.Packets.Crossed == 0 {
		t.Errorf("%d shards, %d packets crossed; expected two, and some", s.Shards, s.Packets.Crossed)
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

func TestLiveWorkerKilled(t *testing.T) {
	l := newLive(t)
	l.standby()
	pid := l.active()
	l.intact(l.transfer(64<<20, func() {
		time.Sleep(500 * time.Millisecond) // into the transfer, wherever that is
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}))
	s := l.closed(false)
	// Whichever is heard first counts it: the connection's end or the invocation's.
	if s.Fleet.Lost+s.Fleet.Failed < 1 || s.Fleet.HandOffs != 1 {
		t.Errorf("lost %d, failed %d, hand-offs %d; expected one death and one hand-off", s.Fleet.Lost, s.Fleet.Failed, s.Fleet.HandOffs)
	}
}

func TestLiveWorkerHangs(t *testing.T) {
	l := newLive(t, "--worker-timeout", "300ms")
	l.standby()
	pid := l.active()
	l.intact(l.transfer(32<<20, func() {
		time.Sleep(500 * time.Millisecond)
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}))
	_ = syscall.Kill(pid, syscall.SIGCONT)
	if s := l.closed(false); s.Fleet.HandOffs < 1 {
		t.Errorf("hand-offs %d; expected one at least", s.Fleet.HandOffs)
	}
}

// A worker that pauses for less than worker-timeout delays packets and loses none.
func TestLiveWorkerPauses(t *testing.T) {
	l := newLive(t, "--worker-timeout", "1900ms")
	pid := l.active()
	l.intact(l.transfer(32<<20, func() {
		for range 3 {
			time.Sleep(300 * time.Millisecond)
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			time.Sleep(200 * time.Millisecond)
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}))
	if s := l.closed(false); s.Fleet.HandOffs != 0 {
		t.Errorf("hand-offs %d; expected none", s.Fleet.HandOffs)
	}
}

// Strangers at the relay's port change nothing: garbage, silence, half a handshake.
func TestLiveGarbageAtTheRelay(t *testing.T) {
	l := newLive(t, "--relay-listen", "127.0.0.1:7443")
	l.intact(l.transfer(16<<20, func() {
		for i := range 20 {
			err := l.topo.Gateway.Do(func() error {
				c, err := net.Dial("tcp", "127.0.0.1:7443")
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", i)))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	}))
	l.until("the refusals are counted", func() bool {
		s, err := l.status()
		return err == nil && sum(s.Refused) >= 20
	})
	l.closed(false)
}

// Somebody who knows the protocol and no token gets in neither as a worker that is there nor as one that is not.
func TestLiveWrongAndReplayedTokens(t *testing.T) {
	l := newLive(t, "--relay-listen", "127.0.0.1:7443")
	l.standby()
	l.intact(l.transfer(16<<20, func() {
		for worker := range uint32(20) {
			err := l.topo.Gateway.Do(func() error {
				raw, err := net.Dial("tcp", "127.0.0.1:7443")
				if err != nil {
					return err
				}
				c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{wire.ALPN}})
				defer c.Close()
				hello := wire.Hello{Version: wire.Version, Worker: worker, Epoch: 1, Credit: 1 << 20}
				if _, err := c.Write(hello.Append(nil)); err != nil {
					return err
				}
				_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
				answer, err := io.ReadAll(c)
				if len(answer) > 0 && wire.Type(answer[0]) == wire.TypeWelcome {
					t.Errorf("worker %d without a token was welcomed", worker)
				}
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return err
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}))
	s := l.closed(false)
	// Workers 1 and 2 have joined: their tokens are used. The others are known to nobody.
	if s.Refused["used"] < 2 || s.Refused["unknown"] < 10 || s.Fleet.Lost > 0 {
		t.Errorf("refused: %v, workers lost: %d", s.Refused, s.Fleet.Lost)
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
	if r.tcpErr != nil || !r.tcp.Intact() {
		t.Errorf("TCP over a flapping link: %v, intact %v", r.tcpErr, r.tcp.Intact())
	}
	l.closed(true)
}

// Killed or hung, the gateway's XDP program relays; restarted, the gateway takes its flows up again.
func TestLiveGatewayKilledOpen(t *testing.T) {
	l := newLive(t, "--on-process-failure", "open")
	r := l.transfer(64<<20, func() {
		time.Sleep(300 * time.Millisecond)
		l.stop(syscall.SIGKILL)
		time.Sleep(1500 * time.Millisecond)
		l.start()
	})
	if r.tcpErr != nil || !r.tcp.Intact() {
		t.Errorf("TCP across the gateway's death: %v, intact %v", r.tcpErr, r.tcp.Intact())
	}
	before := l.closed(true).Ledger.Forwarded
	l.intact(l.transfer(1<<20, nil))
	if after := l.closed(true).Ledger.Forwarded; after <= before {
		t.Error("after its restart the gateway forwards nothing: its program still relays")
	}
}

func TestLiveGatewayHangsOpen(t *testing.T) {
	l := newLive(t, "--on-process-failure", "open")
	r := l.transfer(32<<20, func() {
		time.Sleep(300 * time.Millisecond)
		_ = l.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(2 * time.Second)
		_ = l.cmd.Process.Signal(syscall.SIGCONT)
	})
	if r.tcpErr != nil || !r.tcp.Intact() {
		t.Errorf("TCP across a hung gateway: %v, intact %v", r.tcpErr, r.tcp.Intact())
	}
	l.closed(true)
}

func TestLiveGatewayKilledClosed(t *testing.T) {
	l := newLive(t, "--on-process-failure", "closed")
	l.stop(syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	udp := traffic.UDP{From: l.topo.Inside, To: l.topo.Outside, Address: topo.OutsideIP, Count: 50, Rate: 100, Linger: 200 * time.Millisecond}
	r, err := udp.Run(ctx)
	if err != nil && !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Fatal(err)
	}
	if r.Received > 0 {
		t.Errorf("%d packets crossed a closed gateway that is dead", r.Received)
	}
	l.start()
	l.intact(l.transfer(1<<20, nil))
}

// childrenNamed returns processes of that name whose command line or environment mentions dir.
func childrenNamed(t *testing.T, name, dir string) (pids []string) {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		text, _ := os.ReadFile(p)
		if strings.Contains(string(text), name) && strings.Contains(string(text), dir) {
			pids = append(pids, p)
		}
	}
	return pids
}
