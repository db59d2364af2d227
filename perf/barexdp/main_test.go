package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/granule-nf/granule/perf/topo"
)

// TestFramesCross: the yardstick carries what it is given, both ways, many more frames than it has.
func TestFramesCross(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces and AF_XDP sockets", t.Name())
	}
	tp, err := topo.New(topo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	}()
	bpffs := t.TempDir()
	if err := xdpprog.MountBPFFS(bpffs); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(bpffs, 0); err != nil {
			t.Error(err)
		}
	}()
	stop, done := make(chan os.Signal, 1), make(chan error, 1)
	go func() {
		done <- tp.Gateway.Do(func() error { return run([2]string{topo.InsideIf, topo.OutsideIf}, bpffs, stop) })
	}()
	var taps [2]*topo.Tap
	for s, ns := range []*topo.Namespace{tp.Inside, tp.Outside} {
		if taps[s], err = topo.OpenTap(ns); err != nil {
			t.Fatal(err)
		}
		defer taps[s].Close()
	}
	frame := append([]byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5"), make([]byte, 50)...)
	ready := false
	for deadline := time.Now().Add(10 * time.Second); !ready && time.Now().Before(deadline); { // until the first crosses
		if err := taps[0].Send(frame); err != nil {
			t.Fatal(err)
		}
		got, err := taps[1].Receive(20 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		ready = got != nil
	}
	for i := range 2 * ring {
		from, to := taps[i%2], taps[1-i%2]
		frame[14], frame[15] = byte(i), byte(i>>8)
		if err := from.Send(frame); err != nil {
			t.Fatal(err)
		}
		if got, err := to.Receive(3 * time.Second); err != nil || !bytes.Equal(got, frame) {
			t.Fatalf("frame %d: got % x (%v)", i, got, err)
		}
	}
	stop <- unix.SIGTERM
	if err := <-done; err != nil {
		t.Error(err)
	}
}
