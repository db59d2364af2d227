package demo

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/granule-nf/granule/gateway/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// TestDemoLeavesNothing interrupts a demo while traffic runs: its namespaces, folders, pins and processes are gone.
func TestDemoLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
	granule, artifact := gatewaytest.Granule(t), gatewaytest.Bootstrap(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), granule, "demo", "--bootstrap", artifact, "--traffic", "1m")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			said := new(strings.Builder)
			cmd.Stderr = said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if strings.Contains(lines.Text(), "TCP") && strings.Contains(lines.Text(), "UDP") { // traffic runs
					if err := cmd.Process.Signal(sig); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), "interrupted") {
				t.Errorf("ended with %v and said %q", err, said)
			}
			mark := fmt.Sprintf("-%d-", cmd.Process.Pid)
			for _, pattern := range []string{filepath.Join(os.TempDir(), "granule*"), "/var/run/netns/granule*", "/sys/fs/bpf/granule/*", "/proc/[0-9]*/cmdline"} {
				paths, err := filepath.Glob(pattern)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range paths {
					text := p
					if strings.HasPrefix(p, "/proc/") {
						b, _ := os.ReadFile(p) // a process that has ended meanwhile is none of ours
						text = string(b)
					}
					if strings.Contains(text, mark) {
						t.Errorf("left behind: %s", strings.ReplaceAll(text, "\x00", " "))
					}
				}
			}
		})
	}
}
