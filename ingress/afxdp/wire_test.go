package afxdp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

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

// relay runs across until the test ends or stop is called.
func relayLoop(t testing.TB, w *Wire) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		frames, ids := make([]ingress.Frame, 128), make([]uint32, 0, 128)
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

// TestSequencedUDP sends numbered datagrams both ways at once: none lost, doubled or out of order.
func TestSequencedUDP(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	relayLoop(t, openWire(t, tp, nil))
	const packets = 20000
	hosts := [2]*topo.Namespace{tp.Inside, tp.Outside}
	addrs := [2]string{topo.InsideIP, topo.OutsideIP}
	var conns [2]*net.UDPConn
	for s, host := range hosts {
		if err := host.Do(func() (err error) {
			conns[s], err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(addrs[s]), Port: 7000})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer conns[s].Close()
		if err := conns[s].SetReadBuffer(8 << 20); err != nil {
			t.Fatal(err)
		}
	}
	// The hosts resolve each other first: what waits for ARP leaves the host's own queue in no certain order.
	for s := range conns {
		warmUp(t, conns[s], conns[1-s])
	}
	window := make([]chan struct{}, 2) // a receiver's credit to the sender: veth holds 256 frames
	for s := range window {
		window[s] = make(chan struct{}, 64)
	}
	errs := make(chan error, 4)
	for s := range conns {
		go func() {
			payload := bytes.Repeat([]byte{byte(s)}, 200)
			to := &net.UDPAddr{IP: net.ParseIP(addrs[1-s]), Port: 7000}
			for i := range packets {
				window[s] <- struct{}{}
				binary.BigEndian.PutUint32(payload, uint32(i))
				if _, err := conns[s].WriteToUDP(payload, to); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		go func() {
			buf := make([]byte, 2048)
			_ = conns[s].SetReadDeadline(time.Now().Add(20 * time.Second))
			for i := range packets {
				n, err := conns[s].Read(buf)
				if err != nil {
					errs <- fmt.Errorf("side %d: packet %d: %w", s, i, err)
					return
				}
				if got := binary.BigEndian.Uint32(buf); n != 200 || got != uint32(i) || buf[199] != byte(1-s) {
					errs <- fmt.Errorf("side %d: expected packet %d, got %d (%d bytes)", s, i, got, n)
					return
				}
				<-window[1-s]
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// warmUp sends one datagram and waits for it.
func warmUp(t *testing.T, from, to *net.UDPConn) {
	t.Helper()
	if _, err := from.WriteTo([]byte("warm-up"), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	_ = to.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := to.Read(make([]byte, 64)); err != nil {
		t.Fatalf("the first datagram did not arrive: %v", err)
	}
}
