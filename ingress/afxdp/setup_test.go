package afxdp

import (
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces and AF_XDP sockets", t.Name())
	}
}

// newTopo builds a topology that ends with the test.
func newTopo(t testing.TB, cfg topo.Config) *topo.Topo {
	t.Helper()
	needRoot(t)
	tp, err := topo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	})
	return tp
}

// testBPFFS is a BPF file system of the test's own.
func testBPFFS(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := xdpprog.MountBPFFS(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// openWire opens the gateway's two interfaces with small rings.
func openWire(t testing.TB, tp *topo.Topo, change func(*WireConfig)) *Wire {
	t.Helper()
	cfg := WireConfig{
		Instance: "test", BPFFS: testBPFFS(t), Interfaces: [2]string{topo.InsideIf, topo.OutsideIf},
		Port: Config{RXFrames: 4096},
	}
	if change != nil {
		change(&cfg)
	}
	var w *Wire
	if err := tp.Gateway.Do(func() (err error) { w, err = Open(cfg); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// across moves frames from each port to the other side's port of the same queue, once, and beats.
func across(w *Wire, frames []ingress.Frame, ids []uint32) (moved int) {
	now := xdpprog.Now()
	for q := range w.Queues() {
		w.Beat(q, now)
		for s := range w.ports {
			from, to := w.ports[s][q], w.ports[1-s][q]
			n := from.Receive(frames)
			for sent := 0; sent < n; {
				sent += to.Transmit(frames[sent:n])
				to.Flush()
			}
			to.Flush()
			ids = ids[:0]
			for _, f := range frames[:n] {
				ids = append(ids, f.ID)
			}
			from.Release(ids)
			moved += n
		}
	}
	return moved
}

// relayLoop runs across until the test ends or stop is called.
func relayLoop(t testing.TB, w *Wire) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	frames, ids := make([]ingress.Frame, 128), make([]uint32, 0, 128)
	across(w, frames, ids) // the first beat: without one the program drops
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
			}
			if across(w, frames, ids) == 0 {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			close(quit)
			<-done
		}
	}
	t.Cleanup(stop)
	return stop
}

// openTap opens a tap that ends with the test.
func openTap(t testing.TB, host *topo.Namespace) *topo.Tap {
	t.Helper()
	tap, err := topo.OpenTap(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tap.Close() })
	return tap
}

// eventually waits for cond, and fails the test if it never comes.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

func deleteLink(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkDel(l)
}
