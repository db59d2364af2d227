package afxdp

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/perf/topo"
)

// crosses sends frames one by one from one tap, and expects each at the other, byte for byte, in order.
func crosses(t *testing.T, from, to *topo.Tap, name string, frames ...[]byte) {
	t.Helper()
	const window = 32 // veth holds 256
	for start := 0; start < len(frames); start += window {
		burst := frames[start:min(start+window, len(frames))]
		for i, f := range burst {
			if err := from.Send(f); err != nil {
				t.Fatalf("%s: send frame %d of %d bytes: %v", name, start+i, len(f), err)
			}
		}
		for i, f := range burst {
			got, err := to.Receive(3 * time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, f) {
				t.Fatalf("%s: frame %d: sent %d bytes % x..., got %d bytes % x...", name, start+i,
					len(f), f[:min(len(f), 24)], len(got), got[:min(len(got), 24)])
			}
		}
	}
}

func ether(dst string, etherType uint16, rest ...byte) []byte {
	f := append([]byte(dst), 2, 0, 0, 0, 0, 1, byte(etherType>>8), byte(etherType))
	return append(f, rest...)
}

// TestTransparency: what a bridge would pass, and what it would not, crosses both ways as it is.
func TestTransparency(t *testing.T) {
	tp := newTopo(t, topo.Config{})
	w := openWire(t, tp, nil)
	relayLoop(t, w)
	in, out := openTap(t, tp.Inside), openTap(t, tp.Outside)
	const host, broadcast = "\x02\x00\x00\x00\x00\x02", "\xff\xff\xff\xff\xff\xff"
	full := make([]byte, 1500)
	for i := range full {
		full[i] = byte(i * 7)
	}
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"header alone", ether(host, 0x88B5)},
		{"runt", ether(host, 0x88B5, 1, 2, 3)},
		{"60 bytes", ether(host, 0x88B5, full[:46]...)},
		{"full", ether(host, 0x88B5, full...)},
		{"ARP", ether(broadcast, 0x0806, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2)},
		{"LLDP", ether("\x01\x80\xc2\x00\x00\x0e", 0x88CC, 2, 7, 4, 2, 0, 0, 0, 0, 1, 0, 0)},
		{"STP", ether("\x01\x80\xc2\x00\x00\x00", 0x0026, append([]byte{0x42, 0x42, 3}, full[:35]...)...)},
		{"LACP", ether("\x01\x80\xc2\x00\x00\x02", 0x8809, full[:110]...)},
		{"PPPoE", ether(host, 0x8863, 0x11, 9, 0, 0, 0, 0)},
		{"802.1Q", ether(host, 0x8100, append([]byte{0x20, 0x64, 0x88, 0xB5}, full[:46]...)...)},
		{"full 802.1Q", ether(host, 0x8100, append([]byte{0x20, 0x64, 0x88, 0xB5}, full...)...)},
		{"802.1ad over 802.1Q", ether(host, 0x88A8, append([]byte{0x20, 0x65, 0x81, 0x00, 0x00, 0x66, 0x88, 0xB5}, full[:46]...)...)},
		{"IPv6 with nonsense inside", ether(host, 0x86DD, full[:80]...)},
		{"IPv4 that claims too much", ether(host, 0x0800, append([]byte{0x4F, 0, 0xFF, 0xFF}, full[:40]...)...)},
	} {
		crosses(t, in, out, c.name+" outwards", c.frame)
		crosses(t, out, in, c.name+" inwards", c.frame)
	}
	sizes := [][]byte{}
	for size := 14; size <= 1514; size++ {
		sizes = append(sizes, testFrame(size, size))
	}
	crosses(t, in, out, "every size", sizes...)
}

// TestJumbo: with multi-buffer frames up to MTU 9000 cross, gathered on one side and split on the other.
func TestJumbo(t *testing.T) {
	tp := newTopo(t, topo.Config{MTU: 9000})
	w := openWire(t, tp, func(c *WireConfig) { c.Jumbo, c.Port.JumboBuffers = true, 8 })
	stop := relayLoop(t, w)
	in, out := openTap(t, tp.Inside), openTap(t, tp.Outside)
	var frames [][]byte
	for _, size := range []int{60, 1514, 3498, 3839, 3840, 3841, 4095, 4096, 4097, 7680, 7681, 8191, 8192, 8193, 9013, 9014} {
		frames = append(frames, testFrame(size, size))
	}
	for range 20 { // many more than there are jumbo buffers
		for _, f := range frames {
			crosses(t, in, out, "outwards", f)
			crosses(t, out, in, "inwards", f)
		}
	}
	stop()
	var s ingress.PortStats
	for side := range w.ports {
		w.ports[side][0].Stats(&s)
	}
	if s.RxDropped+s.RxOversize+s.TxInvalid+s.TxErrors != 0 {
		t.Errorf("got %+v", s)
	}
}

// TestJumboBuffersRunOut holds all of them: further jumbos are counted as dropped, small frames still come.
func TestJumboBuffersRunOut(t *testing.T) {
	tp := newTopo(t, topo.Config{MTU: 9000})
	w := openWire(t, tp, func(c *WireConfig) { c.Jumbo, c.Port.JumboBuffers = true, 2 })
	tap := openTap(t, tp.Inside)
	p := w.ports[ingress.Inside][0]
	frames := make([]ingress.Frame, 8)
	across(w, frames, nil) // the first beat
	for i, size := range []int{9000, 9000, 9000, 100} {
		if err := tap.Send(testFrame(i, size)); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	eventually(t, "three frames", func() bool { got += p.Receive(frames[got:]); return got == 3 })
	for i, want := range [][]byte{testFrame(0, 9000), testFrame(1, 9000), testFrame(3, 100)} {
		if !bytes.Equal(frames[i].Data, want) {
			t.Errorf("frame %d: %d bytes, expected %d", i, len(frames[i].Data), len(want))
		}
	}
	var s ingress.PortStats
	p.Stats(&s)
	if s.RxDropped != 1 {
		t.Errorf("%d dropped, expected 1", s.RxDropped)
	}
	p.Release([]uint32{frames[0].ID, frames[1].ID, frames[2].ID})
}

// TestCorpusCrosses plays real captures through the live port: byte-identical, in order.
func TestCorpusCrosses(t *testing.T) {
	tp := newTopo(t, topo.Config{MTU: 9000})
	w := openWire(t, tp, func(c *WireConfig) { c.Jumbo = true })
	relayLoop(t, w)
	in, out := openTap(t, tp.Inside), openTap(t, tp.Outside)
	for _, folder := range []string{"traffic", "malformed"} {
		for _, path := range corpus.Captures(t, "larger", folder) {
			frames, tooLong := readCapture(t, path, 9014, 2000)
			crosses(t, in, out, filepath.Base(path), frames...)
			if tooLong > 0 {
				t.Logf("%s: %d frames are longer than a wire of MTU 9000 carries, and were not sent", filepath.Base(path), tooLong)
			}
		}
	}
}

// readCapture returns a capture's frames, up to limit, and how many were too short or too long for a wire.
func readCapture(t *testing.T, path string, longest, limit int) (frames [][]byte, unfit int) {
	t.Helper()
	p, err := capture.Open(capture.Config{Read: path})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	one := make([]ingress.Frame, 1)
	for !p.Done() && len(frames) < limit {
		if p.Receive(one) == 0 {
			continue
		}
		if n := len(one[0].Data); n < minFrame || n > longest {
			unfit++
		} else {
			frames = append(frames, bytes.Clone(one[0].Data))
		}
		p.Release([]uint32{one[0].ID})
	}
	return frames, unfit
}
