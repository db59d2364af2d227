package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/lambdaworker/nf"
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

func offlineConfig(t *testing.T, in, out string) applianceConfig {
	artifact, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	stage, _ := json.Marshal(nf.Bundle{Chain: "all", NFs: nil})
	cfg := applianceConfig{
		Ports: portsConfig{Inside: "pcap:" + in, Outside: "pcap:" + out, Parked: 1024},
		Plan: &plan{
			chains:   []dataplane.Chain{{Name: "all", Stages: 1}},
			stages:   []dataplane.Stage{{Name: "all/0"}},
			classify: func([]byte, uint32) int { return 0 },
			bundles:  []bundle{{stage: stage}},
		},
		Dataplane: dataplane.Defaults(),
		Workers:   coordinator.Defaults(),
		Fleet: fleetConfig{Function: functionName, Bootstrap: artifact, Listen: "127.0.0.1:0", TLS: true,
			Lifetime: 5 * time.Minute, Join: 30 * time.Second, CPUs: -1},
	}
	cfg.Dataplane.MaxDelay, cfg.Dataplane.WorkerTimeout = time.Minute, 30*time.Second
	return cfg
}

func TestOfflineIsTransparent(t *testing.T) {
	in := corpus(t, "traffic/android.pcap")
	out := filepath.Join(t.TempDir(), "out.pcap")
	a, err := newAppliance(offlineConfig(t, in, out), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := a.run(ctx); err != nil {
		t.Error(err)
	}
	s := a.status()
	if err := a.close(); err != nil {
		t.Error(err)
	}
	want, _ := os.ReadFile(in)
	got, _ := os.ReadFile(out)
	text, _ := json.MarshalIndent(s, "", " ")
	t.Logf("%s", text)
	if len(want) != len(got) {
		t.Errorf("%d bytes went in, %d came out", len(want), len(got))
	}
	_ = bytes.Equal
}
