package appliance

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/granule-nf/granule/corpus"
	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/gatewaytest"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/spf13/pflag"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// runOffline runs the gateway over a capture with the chain in granule.yaml text and further flags, and returns what left.
func runOffline(t *testing.T, yaml string, files map[string]string, in string, flags ...string) (out string, s *console.Status) {
	t.Helper()
	artifact := gatewaytest.Bootstrap(t)
	dir := t.TempDir()
	files["granule.yaml"] = yaml
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out = filepath.Join(dir, "out.pcap")
	var set settings.Run
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	set.Flags(fs)
	if err := fs.Parse(append([]string{"--config", filepath.Join(dir, "granule.yaml"), "--inside", "pcap:" + in, "--outside", "pcap:" + out, "--bootstrap", artifact}, flags...)); err != nil {
		t.Fatal(err)
	}
	before := goroutines()
	cfg, err := set.Load(fs, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	runErr := a.Run(ctx)
	s = a.Status()
	if err := errors.Join(runErr, a.Close()); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Logf("the capture's end: %v", err)
	}
	noGoroutineLeft(t, before)
	l := s.Ledger
	if got, want := l.Forwarded+l.Bypassed+l.DroppedTotal()+l.InFlight, l.Received+l.Injected; got != want {
		t.Errorf("the ledger does not close: %d in, %d accounted for", want, got)
	}
	if l.InFlight != 0 {
		t.Errorf("%d packets are still in flight at the end", l.InFlight)
	}
	return out, s
}

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
		for _, ship := range []string{settings.ShipAuto, settings.ShipHeaders, settings.ShipFull} {
			t.Run(whose+"/"+ship, func(t *testing.T) {
				in := joined(t, corpus.Captures(t, whose, "traffic"))
				want, frames := gatewaytest.Lanes(t, in)
				out, s := runOffline(t, gatewaytest.AcceptAll, map[string]string{"edge.nft": gatewaytest.AcceptRules}, in, "--ship", ship)
				if s.Ledger.Received != uint64(frames) {
					t.Errorf("%d frames received, the capture has %d", s.Ledger.Received, frames)
				}
				if got, _ := gatewaytest.Lanes(t, out); !reflect.DeepEqual(got, want) {
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
				in := joined(t, corpus.Captures(t, whose, "malformed"))
				_, frames := gatewaytest.Lanes(t, in)
				_, s := runOffline(t, gatewaytest.AcceptAll, map[string]string{"edge.nft": gatewaytest.AcceptRules}, in, "--malformed", policy, "--on-worker-failure", "open")
				if s.Ledger.Received != uint64(frames) {
					t.Errorf("%d frames received, the capture has %d", s.Ledger.Received, frames)
				}
				if len(s.Packets.Malformed) == 0 {
					t.Error("no packet is counted as malformed")
				}
				if s.Fleet.Lost+s.Fleet.Failed > 0 {
					t.Errorf("%d workers were lost: a packet kills them", s.Fleet.Lost+s.Fleet.Failed)
				}
			})
		}
	}
}
