package rig

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/granule-nf/granule/perf/topo"
)

func TestOrphaned(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		fmt.Sprintf("granule-rig-%d-123", dead.Process.Pid): true,
		fmt.Sprintf("granule-rig-%d-123", os.Getpid()):      false,
		"granule-rig-x-123": false, "granule-rig-": false, "default": false, "granule-rig-0-1": false,
	} {
		if got := orphaned(name); got != want {
			t.Errorf("%s: orphaned %t", name, got)
		}
	}
}

func TestActiveWorker(t *testing.T) {
	s := &Status{
		Workers: []Worker{{ID: 1, State: "standby"}, {ID: 2, State: "active"}, {ID: 3, State: "active"}},
		Reports: map[uint32]json.RawMessage{1: json.RawMessage(`{"pid": 10}`), 3: json.RawMessage(`{"pid": 30, "packets": 5}`)},
	}
	id, r, ok := ActiveWorker(s)
	if id != 3 || r.PID != 30 || r.Packets != 5 || !ok {
		t.Errorf("worker %d, %+v, %t: expected the active one that has reported", id, r, ok)
	}
	if _, _, ok := ActiveWorker(&Status{}); ok {
		t.Error("a gateway without workers has an active one")
	}
}

// Only what came between two looks counts.
func TestDelaySince(t *testing.T) {
	var last, now Status
	now.Packets.Delays = []uint64{0, 90, 9, 0, 1}
	if p50, p99 := now.DelaySince(&last); p50 != 2*time.Microsecond || p99 != 16*time.Microsecond {
		t.Errorf("p50 %s, p99 %s; expected 2 us and 16 us", p50, p99)
	}
	last.Packets.Delays = []uint64{0, 90, 0, 0, 0}
	if p50, p99 := now.DelaySince(&last); p50 != 4*time.Microsecond || p99 != 16*time.Microsecond {
		t.Errorf("p50 %s, p99 %s; expected 4 us and 16 us", p50, p99)
	}
	if p50, p99 := now.DelaySince(&now); p50 != 0 || p99 != 0 {
		t.Errorf("p50 %s, p99 %s of nothing", p50, p99)
	}
}

// TestFailedStartLeavesNothing: the error ends with the gateway's own words.
func TestFailedStartLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
	t.Setenv("TMPDIR", t.TempDir())
	tp, err := topo.New(topo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, program := range []string{"/bin/false", "/nowhere/granule"} {
		if g, err := Start(t.Context(), Config{Topo: tp, Granule: program}); err == nil {
			t.Errorf("%s became ready: %v", program, g.Stop())
		}
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
