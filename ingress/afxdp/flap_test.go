package afxdp

import (
	"testing"

	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/perf/topo"
)

func setLink(t *testing.T, ns *topo.Namespace, name string, up bool) {
	t.Helper()
	if err := ns.Do(func() error { return topo.SetUp(name, up) }); err != nil {
		t.Fatal(err)
	}
}

// TestLinkFlap takes a link down and up under the port, three times: nothing ends, frames sent meanwhile are counted as
// dropped, and frames cross again afterwards.
func TestLinkFlap(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	tap := openTap(t, tp.Outside)
	p := w.ports[ingress.Outside][0]
	one := []ingress.Frame{{Data: testFrame(7, 60)}}
	for flap := range 3 {
		setLink(t, tp.Gateway, topo.OutsideIf, false)
		eventually(t, "the link's end to be seen", func() bool { return !w.links.up[ingress.Outside].Load() })
		for range 10 {
			if p.Transmit(one) != 1 {
				t.Fatal("a dead link took no frame")
			}
			if p.Flush() {
				t.Fatal("a dead link keeps frames")
			}
		}
		setLink(t, tp.Gateway, topo.OutsideIf, true)
		eventually(t, "the link's return to be seen", func() bool { return w.links.up[ingress.Outside].Load() })
		p.Transmit(one)
		for p.Flush() {
		}
		expectFrames(t, tap, 7, 1, 60)
		var s ingress.PortStats
		p.Stats(&s)
		if want := uint64(10 * (flap + 1)); s.TxDropped != want || s.TxPackets != uint64(flap+1) {
			t.Errorf("flap %d: dropped %d, sent %d, expected %d, %d", flap, s.TxDropped, s.TxPackets, want, flap+1)
		}
	}
	if w.Report().Ports[ingress.Outside].CarrierChanges != 6 {
		t.Errorf("%d carrier changes, expected 6", w.Report().Ports[ingress.Outside].CarrierChanges)
	}
}

// TestPanicIsContained sends into an interface that is down, before anybody told the port: the library panics, the port
// counts, keeps the frames, backs off, and sends them when the link is back.
func TestPanicIsContained(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	tap := openTap(t, tp.Outside)
	p := w.ports[ingress.Outside][0]
	p.tx.linkUp = nil // never told
	setLink(t, tp.Gateway, topo.OutsideIf, false)
	frames := []ingress.Frame{{Data: testFrame(0, 60)}, {Data: testFrame(1, 60)}}
	p.Transmit(frames)
	flushes := 2000
	for range flushes {
		if !p.Flush() {
			t.Fatal("frames on the ring, and nothing pending")
		}
	}
	var s ingress.PortStats
	p.Stats(&s)
	if s.TxErrors == 0 || s.TxErrors > 20 {
		t.Errorf("%d refusals in %d flushes: expected some, and few", s.TxErrors, flushes)
	}
	setLink(t, tp.Gateway, topo.OutsideIf, true)
	eventually(t, "the frames to leave", func() bool { return !p.Flush() })
	expectFrames(t, tap, 0, 2, 60)
}

// TestDeviceGone deletes the interface under the port: no panic, nothing pending, and Close still works.
func TestDeviceGone(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	p := w.ports[ingress.Outside][0]
	if err := tp.Gateway.Do(func() error { return deleteLink(topo.OutsideIf) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link's end to be seen", func() bool { return !w.links.up[ingress.Outside].Load() })
	frames := []ingress.Frame{{Data: testFrame(0, 60)}}
	for range 100 {
		p.Transmit(frames)
		if p.Flush() || p.Receive(frames) != 0 {
			t.Fatal("a device that is gone has frames")
		}
		frames[0].Data = testFrame(0, 60)
	}
	var s ingress.PortStats
	p.Stats(&s)
	if s.TxDropped != 100 {
		t.Errorf("dropped %d, expected 100", s.TxDropped)
	}
}
