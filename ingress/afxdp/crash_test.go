package afxdp

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
)

const (
	childPolicy = "GRANULE_TEST_GATEWAY" // open or closed: this process is a gateway, for a test to kill
	childBPFFS  = "GRANULE_TEST_BPFFS"
	crashMaxAge = 200 * time.Millisecond
)

// TestMain lets the test binary be the gateway that a test kills.
func TestMain(m *testing.M) {
	policy := os.Getenv(childPolicy)
	if policy == "" {
		os.Exit(m.Run())
	}
	if err := childGateway(policy == "open", os.Getenv(childBPFFS)); err != nil {
		fmt.Println("gateway:", err)
		os.Exit(1)
	}
}

// childGateway forwards until it is told to stop, and says on standard output when it is ready.
func childGateway(open bool, bpffs string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	w, err := Open(WireConfig{
		Instance: "crash", BPFFS: bpffs, Interfaces: [2]string{topo.InsideIf, topo.OutsideIf},
		FailOpen: open, MaxAge: crashMaxAge, Port: Config{RXFrames: 4096},
	})
	if err != nil {
		return err
	}
	frames, ids := make([]ingress.Frame, 128), make([]uint32, 0, 128)
	across(w, frames, ids)
	fmt.Println("ready", w.Report().Ports[0].TakenOver)
	for {
		select {
		case <-stop:
			return w.Close()
		default:
		}
		if across(w, frames, ids) == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// startGateway starts this binary as a gateway in the topology, and waits until it is ready.
func startGateway(t *testing.T, tp *topo.Topo, policy, bpffs string, takeover bool) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := tp.Gateway.Command(self)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), childPolicy+"="+policy, childBPFFS+"="+bpffs)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if want := fmt.Sprintf("ready %t\n", takeover); err != nil || line != want {
		t.Fatalf("the gateway said %q (%v), expected %q", line, err, want)
	}
	return cmd
}

func end(t *testing.T, cmd *exec.Cmd, sig syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); sig == unix.SIGTERM && err != nil {
		t.Fatalf("clean exit: %v", err)
	}
}

// echo is a TCP connection from the inside host to an echo server on the outside one.
func echo(t *testing.T, tp *topo.Topo) net.Conn {
	t.Helper()
	var ln net.Listener
	if err := tp.Outside.Do(func() (err error) { ln, err = net.Listen("tcp4", topo.OutsideIP+":7"); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	var conn net.Conn
	if err := tp.Inside.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp4", topo.OutsideIP+":7", 5*time.Second)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// exchange sends half a megabyte there and back, and compares hashes.
func exchange(t *testing.T, conn net.Conn, when string) {
	t.Helper()
	data := bytes.Repeat([]byte(when), (512<<10)/len(when))
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() { _, _ = conn.Write(data) }()
	got := sha256.New()
	if _, err := io.CopyN(got, conn, int64(len(data))); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if want := sha256.Sum256(data); !bytes.Equal(got.Sum(nil), want[:]) {
		t.Fatalf("%s: what came back is not what was sent", when)
	}
}

func outcome(t *testing.T, bpffs string, o xdpprog.Outcome) uint64 {
	t.Helper()
	tallies, err := xdpprog.PinnedTallies(bpffs, "crash", int(ingress.Inside))
	if err != nil {
		t.Fatal(err)
	}
	return tallies[o].Packets
}

// TestCrashOpen kills and hangs the gateway under a TCP connection: with policy open the wire goes on, and a new gateway
// takes over in place. A clean exit leaves nothing.
func TestCrashOpen(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	bpffs := testBPFFS(t)
	gw := startGateway(t, tp, "open", bpffs, false)
	conn := echo(t, tp)
	exchange(t, conn, "before the kill")
	if outcome(t, bpffs, xdpprog.ToSocket) == 0 {
		t.Error("the gateway saw nothing")
	}
	end(t, gw, unix.SIGKILL)
	exchange(t, conn, "after the kill")
	if outcome(t, bpffs, xdpprog.RelayedNoSocket) == 0 {
		t.Error("the program relayed nothing for want of a socket")
	}
	if err := tp.Gateway.Do(func() error {
		l, err := netlink.LinkByName(topo.InsideIf)
		if err == nil && l.Attrs().Promisc == 0 {
			err = fmt.Errorf("%s lost its promiscuity with the process", topo.InsideIf)
		}
		return err
	}); err != nil {
		t.Error(err)
	}

	gw = startGateway(t, tp, "open", bpffs, true)
	served := outcome(t, bpffs, xdpprog.ToSocket)
	exchange(t, conn, "after the restart")
	if outcome(t, bpffs, xdpprog.ToSocket) == served {
		t.Error("the new gateway saw nothing")
	}

	if err := gw.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	exchange(t, conn, "while it hangs")
	if outcome(t, bpffs, xdpprog.RelayedStale) == 0 {
		t.Error("the program relayed nothing for want of a beat")
	}
	if err := gw.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	served = outcome(t, bpffs, xdpprog.ToSocket)
	exchange(t, conn, "after it woke up")
	eventually(t, "the gateway to be back", func() bool { return outcome(t, bpffs, xdpprog.ToSocket) > served })

	end(t, gw, unix.SIGTERM)
	nothingLeft(t, tp, bpffs)
}

// TestCrashClosed: with policy closed nothing crosses without a live gateway, and it does again with the next.
func TestCrashClosed(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	bpffs := testBPFFS(t)
	in, out := openTap(t, tp.Inside), openTap(t, tp.Outside)
	silent := func(when string) {
		t.Helper()
		if err := in.Send(testFrame(1, 60)); err != nil {
			t.Fatal(err)
		}
		if got, err := out.Receive(50 * time.Millisecond); got != nil || err != nil {
			t.Fatalf("%s: % x crossed (%v)", when, got, err)
		}
	}
	gw := startGateway(t, tp, "closed", bpffs, false)
	crosses(t, in, out, "with a gateway", testFrame(0, 60))
	end(t, gw, unix.SIGKILL)
	silent("after the kill")
	if outcome(t, bpffs, xdpprog.DroppedNoSocket) == 0 {
		t.Error("the drop was not counted")
	}
	gw = startGateway(t, tp, "closed", bpffs, true)
	crosses(t, in, out, "with the next", testFrame(0, 60))
	if err := gw.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stale := outcome(t, bpffs, xdpprog.DroppedStale)
	eventually(t, "the beat to go stale", func() bool {
		if err := in.Send(testFrame(1, 60)); err != nil {
			t.Fatal(err)
		}
		return outcome(t, bpffs, xdpprog.DroppedStale) > stale
	})
	for { // what crossed before the signal took effect
		if got, err := out.Receive(0); got == nil || err != nil {
			break
		}
	}
	silent("while it hangs")
	if err := gw.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	end(t, gw, unix.SIGTERM)
	nothingLeft(t, tp, bpffs)
}

// TestLeaveRelay: asked to, a clean exit leaves the program relaying.
func TestLeaveRelay(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	var bpffs string
	w := openWire(t, tp, func(c *WireConfig) { c.FailOpen, c.LeaveRelay, bpffs = true, true, c.BPFFS })
	in, out := openTap(t, tp.Inside), openTap(t, tp.Outside)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	crosses(t, in, out, "after the exit", testFrame(0, 60))
	again := openWire(t, tp, func(c *WireConfig) { c.FailOpen, c.BPFFS = true, bpffs })
	if !again.Report().Ports[0].TakenOver {
		t.Error("what was left was not taken over")
	}
	relayLoop(t, again)
	crosses(t, in, out, "with the next", testFrame(0, 60))
}

// nothingLeft looks for pins, programs and promiscuity.
func nothingLeft(t *testing.T, tp *topo.Topo, bpffs string) {
	t.Helper()
	entries, err := filepath.Glob(bpffs + "/granule*")
	if err != nil || len(entries) != 0 {
		t.Errorf("left in the BPF file system: %s (%v)", strings.Join(entries, " "), err)
	}
	if err := tp.Gateway.Do(func() error {
		for _, name := range []string{topo.InsideIf, topo.OutsideIf} {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if p, ok := xdpprog.Attached(l.Attrs().Index); ok {
				return fmt.Errorf("left on %s: %s", name, p)
			}
			if l.Attrs().Promisc != 0 {
				return fmt.Errorf("%s is still promiscuous", name)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
