package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/granule-nf/granule/perf/topo"
)

// TestManagementPathsAreRefused: run and doctor, with the same settings, both see that a port is the path to workers and to the
// administrator; naming it lets it be a port.
func TestManagementPathsAreRefused(t *testing.T) {
	tp := topoWith(t, "10.77.0.9/24")
	t.Setenv("SSH_CONNECTION", topo.InsideIP+" 50000 10.77.0.9 22")
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "")
	args := []string{"--inside", topo.InsideIf, "--outside", topo.OutsideIf, "--instance", "paths",
		"--lambda", "http://" + topo.InsideIP + ":4566", "--lambda-region", "local", "--relay-advertise", topo.InsideIP + ":7443"}
	wants := []string{"your SSH session from " + topo.InsideIP + " comes in over it", "the route to the workers at " + topo.InsideIP + " leads through it", "--allow-port " + topo.InsideIf}

	examine := func(more ...string) (string, error) {
		var out strings.Builder
		cmd := doctorCommand()
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append(slices.Clone(args), more...))
		var err error
		_ = tp.Gateway.Do(func() error { err = cmd.ExecuteContext(context.Background()); return nil })
		return out.String(), err
	}
	said, err := examine()
	if err == nil {
		t.Error("doctor found nothing wrong")
	}
	for _, want := range wants {
		if !strings.Contains(said, want) {
			t.Errorf("doctor does not say %q:\n%s", want, said)
		}
	}
	if said, _ = examine("--allow-port", topo.InsideIf); strings.Contains(said, "leads through it") || strings.Contains(said, "comes in over it") {
		t.Errorf("doctor refuses a port that was named:\n%s", said)
	}

	path := filepath.Join(t.TempDir(), "granule.yaml")
	if err := os.WriteFile(path, []byte("chains:\n  - name: all\n    stages:\n      - - counter: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := runCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(append(slices.Clone(args), "--config", path, "--admin", ""))
	_ = tp.Gateway.Do(func() error { err = cmd.ExecuteContext(context.Background()); return nil })
	if err == nil {
		t.Fatal("run opened the ports")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("run does not say %q:\n%v", want, err)
		}
	}
}
