package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/spf13/pflag"
)

// bootstrap builds the worker once for all tests.
var bootstrap = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "granule-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", path, "../lambdaworker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := bootstrap(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func corpus(t *testing.T, name string) string {
	dir := os.Getenv("GRANULE_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the corpus is not here: %v", err)
	}
	return path
}

// runOffline runs the gateway over a capture with the chain in granule.yaml text and further flags, and returns what left.
func runOffline(t *testing.T, yaml string, files map[string]string, in string, flags ...string) (out string, s *console.Status) {
	t.Helper()
	artifact, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files["granule.yaml"] = yaml
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out = filepath.Join(dir, "out.pcap")
	var set runSettings
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	set.flags(fs)
	if err := fs.Parse(append([]string{"--config", filepath.Join(dir, "granule.yaml"), "--inside", "pcap:" + in, "--outside", "pcap:" + out, "--bootstrap", artifact}, flags...)); err != nil {
		t.Fatal(err)
	}
	before := goroutines()
	cfg, err := set.load(fs, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAppliance(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	runErr := a.run(ctx)
	s = a.status()
	if err := errors.Join(runErr, a.close()); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Logf("the capture's end: %v", err)
	}
	noGoroutineLeft(t, before)
	l := s.Ledger
	if got, want := l.Forwarded+l.Bypassed+sum(l.Dropped)+l.InFlight, l.Received+l.Injected; got != want {
		t.Errorf("the ledger does not close: %d in, %d accounted for", want, got)
	}
	if l.InFlight != 0 {
		t.Errorf("%d packets are still in flight at the end", l.InFlight)
	}
	return out, s
}

// lanes reads a capture as each flow and direction's frames in order; frames that are not IP are one lane.
func lanes(t *testing.T, path string) (lanes map[string][]string, frames int) {
	t.Helper()
	port, err := capture.Open(capture.Config{Read: path})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	lanes = map[string][]string{}
	var batch [64]ingress.Frame
	for !port.Done() {
		n := port.Receive(batch[:])
		for _, f := range batch[:n] {
			name := laneOf(f.Data, int(f.Wire))
			lanes[name] = append(lanes[name], fmt.Sprint(f.Time, f.Wire, string(f.Data)))
			port.Release([]uint32{f.ID})
			frames++
		}
	}
	return lanes, frames
}

// laneOf names the flow and direction of a frame.
func laneOf(frame []byte, onWire int) string {
	var in packet.Info
	packet.Parse(frame, onWire, &in)
	if in.Kind == packet.NotIP {
		return "other"
	}
	var k packet.Key
	return fmt.Sprint(in.Key(frame, &k), k)
}

const acceptAll = `chains:
  - name: edge
    stages:
      - - firewall: {rules: edge.nft}
`

const acceptRules = `table inet filter {
  chain forward {
    type filter hook forward priority 0; policy accept;
    ip protocol tcp counter
  }
}
`

// joined writes captures, one after the other, as one: a gateway and its workers take longer to start than any of them takes to
// cross.
func joined(t *testing.T, captures []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "joined.pcap")
	out, err := capture.Open(capture.Config{Write: path, Nanos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, c := range captures {
		in, err := capture.Open(capture.Config{Read: c})
		if err != nil {
			t.Logf("%s can't be opened: %v", c, err) // a few of the malformed ones: the file itself is what is broken
			continue
		}
		var batch [64]ingress.Frame
		for !in.Done() {
			n := in.Receive(batch[:])
			if out.Transmit(batch[:n]) != n {
				t.Fatal("writing the joined capture failed")
			}
			for _, f := range batch[:n] {
				in.Release([]uint32{f.ID})
			}
		}
		in.Close()
	}
	return path
}

// Whatever crosses the whole path comes out byte for byte, in the order of its flow, in every way of shipping.
func TestOfflineIsTransparent(t *testing.T) {
	for _, whose := range []string{"own", "shared"} {
		for _, ship := range []string{shipAuto, shipHeaders, shipFull} {
			t.Run(whose+"/"+ship, func(t *testing.T) {
				in := joined(t, captures(t, whose, "traffic"))
				want, frames := lanes(t, in)
				out, s := runOffline(t, acceptAll, map[string]string{"edge.nft": acceptRules}, in, "--ship", ship)
				if s.Ledger.Received != uint64(frames) {
					t.Errorf("%d frames received, the capture has %d", s.Ledger.Received, frames)
				}
				if got, _ := lanes(t, out); !reflect.DeepEqual(got, want) {
					t.Error("what left is not what came")
				}
			})
		}
	}
}

// Nothing a capture holds crashes the path, and every packet of it is accounted for (runOffline checks the ledger).
func TestOfflineSurvivesMalformed(t *testing.T) {
	for _, whose := range []string{"own", "shared"} {
		for _, policy := range []string{"pass", "drop"} {
			t.Run(whose+"/"+policy, func(t *testing.T) {
				in := joined(t, captures(t, whose, "malformed"))
				_, frames := lanes(t, in)
				_, s := runOffline(t, acceptAll, map[string]string{"edge.nft": acceptRules}, in, "--malformed", policy, "--on-worker-failure", "open")
				if s.Ledger.Received != uint64(frames) {
					t.Errorf("%d frames received, the capture has %d", s.Ledger.Received, frames)
				}
				if n := sum(s.Packets.Malformed); n == 0 {
					t.Error("no packet is counted as malformed")
				}
				if s.Fleet.Lost+s.Fleet.Failed > 0 {
					t.Errorf("%d workers were lost: a packet kills them", s.Fleet.Lost+s.Fleet.Failed)
				}
			})
		}
	}
}
