package livetest

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/gatewaytest"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/perf/topo"
)

// The frames that a wire of this MTU carries: those from minFrame to maxFrame bytes. Shorter ones hold no Ethernet header, and the
// kernel refuses to send longer ones. The offline tests have them all.
const (
	wideMTU  = 9000
	minFrame = 14
	maxFrame = wideMTU + 14
)

// What captures hold crosses a live gateway, its worker and back, in either direction: byte for byte, in the order of each flow, and
// nothing is lost.
func TestLiveTransparency(t *testing.T) {
	for _, whose := range []string{"own", "shared"} {
		t.Run(whose, func(t *testing.T) {
			paths := corpus.Captures(t, whose, "traffic")
			l := newCorpusLive(t)
			in, out := l.tap(l.topo.Inside), l.tap(l.topo.Outside)
			sent := uint64(0)
			for _, path := range paths {
				frames := framesOf(t, path)
				l.transparent(in, out, filepath.Base(path)+" outwards", frames)
				l.transparent(out, in, filepath.Base(path)+" inwards", frames)
				sent += 2 * uint64(len(frames))
			}
			t.Logf("%d captures, %d frames", len(paths), sent)
			g := l.settled(sent).Ledger
			if g.Forwarded+g.Bypassed != sent {
				t.Errorf("%d frames sent, %d forwarded, %d bypassed, dropped %v", sent, g.Forwarded, g.Bypassed, g.Dropped)
			}
			if g.Forwarded < g.Bypassed {
				t.Errorf("%d frames forwarded, %d bypassed: most did not cross the worker", g.Forwarded, g.Bypassed)
			}
		})
	}
}

// Malformed frames cost neither gateway nor worker anything, and each of them is accounted for: those that the ledger says left did,
// as they came and in the order of their flow; the firewall drops some, as the kernel does.
func TestLiveMalformed(t *testing.T) {
	for _, whose := range []string{"own", "shared"} {
		t.Run(whose, func(t *testing.T) {
			paths := corpus.Captures(t, whose, "malformed")
			l := newCorpusLive(t)
			in, out := l.tap(l.topo.Inside), l.tap(l.topo.Outside)
			var frames [][]byte
			for _, path := range paths {
				frames = append(frames, framesOf(t, path)...)
			}
			t.Logf("%d captures, %d frames each way", len(paths), len(frames))
			sent := l.accountedFor(in, out, 0, frames)
			sent = l.accountedFor(out, in, sent, frames)
			if s := l.settled(sent); len(s.Packets.Malformed) == 0 {
				t.Error("no frame is counted as malformed")
			}
		})
	}
}

const counterAndFirewall = `chains:
  - name: edge
    stages:
      - - counter: {}
        - firewall: {rules: edge.nft}
`

func newCorpusLive(t *testing.T) *live {
	t.Helper()
	return newLiveWith(t, liveConfig{
		wire:  topo.Config{MTU: wideMTU},
		files: map[string]string{"granule.yaml": counterAndFirewall, "edge.nft": gatewaytest.AcceptRules},
		flags: []string{"--jumbo"},
	})
}

// settled is the status once every frame sent has come and none is in flight. No worker has suffered.
func (l *live) settled(sent uint64) (s *console.Status) {
	l.t.Helper()
	l.until("every frame sent is settled", func() bool {
		s = l.closed(true)
		return s.Ledger.Received >= sent && s.Ledger.InFlight == 0
	})
	if s.Ledger.Received != sent || s.Ledger.Injected != 0 {
		l.t.Errorf("%d frames were sent, %d received, %d injected", sent, s.Ledger.Received, s.Ledger.Injected)
	}
	if s.Fleet.Lost+s.Fleet.Failed+s.Fleet.HandOffs > 0 {
		l.t.Errorf("a frame cost a worker: %+v", s.Fleet)
	}
	return s
}

// accountedFor sends frames, after so many others, and returns how many have been sent then. What arrives is what the ledger says has
// left, and nothing else than what was sent.
func (l *live) accountedFor(from, to *topo.Tap, sent uint64, frames [][]byte) uint64 {
	l.t.Helper()
	left := func(s *console.Status) uint64 { return s.Ledger.Forwarded + s.Ledger.Bypassed }
	past := left(l.settled(sent))
	want, got := map[string][]string{}, map[string][]string{}
	for burst := range slices.Chunk(frames, inOneGo) {
		send(l.t, from, burst, want)
		sent += uint64(len(burst))
		now := left(l.settled(sent))
		for n := past; n < now; n++ {
			if !arrives(l.t, to, got) {
				l.t.Fatalf("%d frames left by the ledger, %d arrived", now-past, n-past)
			}
		}
		past = now
	}
	for lane, frames := range got {
		rest := want[lane]
		for _, f := range frames {
			i := slices.Index(rest, f)
			if i < 0 {
				l.t.Fatalf("a frame of %d bytes arrived after others of its flow that were sent later, or was not sent at all (%d of %d in its flow): % x", len(f), slices.Index(want[lane], f), len(want[lane]), f[:min(len(f), 80)])
			}
			rest = rest[i+1:]
		}
	}
	return sent
}

func (l *live) tap(host *topo.Namespace) *topo.Tap {
	l.t.Helper()
	tap, err := topo.OpenTap(host)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := tap.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return tap
}

// framesOf returns a capture's frames that a wire carries, and says how many more there are.
func framesOf(t *testing.T, path string) (frames [][]byte) {
	t.Helper()
	p, err := capture.Open(capture.Config{Read: path})
	if err != nil {
		t.Logf("%s can't be opened: %v", path, err) // a few of the malformed ones: the file itself is what is broken
		return nil
	}
	defer p.Close()
	short, long := 0, 0
	one := make([]ingress.Frame, 1)
	for !p.Done() {
		if p.Receive(one) == 0 {
			continue
		}
		switch n := len(one[0].Data); {
		case n < minFrame, tagged(one[0].Data) && n < minFrame+6:
			short++
		case n > maxFrame:
			long++
		default:
			frames = append(frames, bytes.Clone(one[0].Data))
		}
		p.Release([]uint32{one[0].ID})
	}
	if short+long > 0 {
		t.Logf("%s: not sent: %d frames shorter than a host takes, %d longer than %d bytes", filepath.Base(path), short, long, maxFrame)
	}
	return frames
}

// tagged reports that a frame says it has a VLAN tag: if it then has none, and no EtherType behind it, the receiving host's kernel
// drops it before its tap sees it.
func tagged(frame []byte) bool {
	kind := binary.BigEndian.Uint16(frame[12:])
	return kind == 0x8100 || kind == 0x88a8
}

const inOneGo = 64 // frames; a veth holds 256

// send puts frames on the wire, and notes them by flow.
func send(t *testing.T, tap *topo.Tap, frames [][]byte, by map[string][]string) {
	t.Helper()
	for _, f := range frames {
		if err := tap.Send(f); err != nil {
			t.Fatalf("send a frame of %d bytes: %v", len(f), err)
		}
		by[wireLane(f)] = append(by[wireLane(f)], string(f))
	}
}

// wireLane names what has an order on a live wire: a flow and direction; of it, what goes to a group address crosses at layer 2, and
// overtakes what is at a worker.
func wireLane(frame []byte) string {
	if frame[0]&1 != 0 {
		return "group " + gatewaytest.LaneOf(frame, len(frame))
	}
	return gatewaytest.LaneOf(frame, len(frame))
}

// arrives waits for one frame, and notes it by flow.
func arrives(t *testing.T, tap *topo.Tap, by map[string][]string) bool {
	t.Helper()
	f, err := tap.Receive(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return false
	}
	by[wireLane(f)] = append(by[wireLane(f)], string(f))
	return true
}

// transparent sends frames and expects them at the other side: each flow's as they were sent, in order.
func (l *live) transparent(from, to *topo.Tap, name string, frames [][]byte) {
	l.t.Helper()
	want, got := map[string][]string{}, map[string][]string{}
	for burst := range slices.Chunk(frames, inOneGo) {
		send(l.t, from, burst, want)
		for n := range burst {
			if !arrives(l.t, to, got) {
				s, _ := l.status()
				l.t.Fatalf("%s: of a burst of %d frames %d arrived; %+v", name, len(burst), n, s)
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		l.t.Errorf("%s: what arrived is not what was sent, flow by flow", name)
	}
}
