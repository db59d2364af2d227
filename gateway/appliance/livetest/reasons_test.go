package livetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/granule-nf/granule/perf/topo"
)

// A gateway whose workers do not start says what the last start came to, and when it tries again.
func TestNotReadySaysTheLastCause(t *testing.T) {
	l := newLive(t)
	l.standby()
	l.stop(os.Interrupt)
	crash := filepath.Join(l.dir, "crash")
	if err := os.WriteFile(crash, []byte("#!/bin/sh\nexit 41\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	argv := l.topo.Gateway.Command(l.granule, "run", "--config", filepath.Join(l.dir, "granule.yaml"), "--inside", topo.InsideIf, "--outside", topo.OutsideIf, "--admin", l.admin,
		"--instance", l.instance(), "--bootstrap", crash, "--state-dir", "none")
	l.cmd = exec.Command(argv[0], argv[1:]...)
	l.cmd.Stdout, l.cmd.Stderr = l.log, l.log
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last []string
	l.until("the reason is said", func() bool {
		s, err := l.status()
		if err != nil || s.Ready {
			return false
		}
		last = s.NotReady
		all := strings.Join(last, " ")
		return strings.Contains(all, "the last start failed:") && strings.Contains(all, "41")
	})
	t.Log(last)
}
