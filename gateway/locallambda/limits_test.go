package locallambda

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// skipWithout skips by name where the kernel's part of a limit can't be had.
func skipWithout(t *testing.T, s *Service, what string) {
	t.Helper()
	if d := s.Enforcement(); what == "" {
		t.Skipf("needs root and a writable control group hierarchy: %+v", d)
	}
}

func TestMemoryLimitIsKeptByTheKernel(t *testing.T) {
	s := startService(t, func(_ *Config, f *Function) { f.MemoryMB = 128 })
	skipWithout(t, s, s.enforcer.groups.memory)
	checkMemoryLimit(t, s)
}

func TestMemoryLimitIsPolledWithoutControlGroups(t *testing.T) {
	s := startService(t, func(_ *Config, f *Function) { f.MemoryMB = 128 })
	s.enforcer.groups = cgroups{}
	if d := s.Enforcement(); d.Memory != "polled" || d.CPU != "not enforced" {
		t.Errorf("%+v", d)
	}
	if a := call(t, s, `{}`); !strings.Contains(strings.Join(a.Env, "\n"), fmt.Sprintf("GOMEMLIMIT=%d", 128<<20/10*9)) {
		t.Errorf("GOMEMLIMIT is not set in %v", a.Env)
	}
	checkMemoryLimit(t, s)
}

func checkMemoryLimit(t *testing.T, s *Service) {
	t.Helper()
	pid := call(t, s, fmt.Sprintf(`{"Do":"sleep","Bytes":%d}`, 60<<20)).PID
	out := invoke(t, s.Client(), fmt.Sprintf(`{"Do":"memory","Bytes":%d}`, 400<<20))
	if !strings.Contains(string(out.Payload), "signal: killed") {
		t.Errorf("400 MB in 128 MB: %s", out.Payload)
	}
	if a := call(t, s, `{}`); a.PID == pid {
		t.Error("the process is still there")
	}
}

func TestCPUShareIsKeptByTheKernel(t *testing.T) {
	s := startService(t, func(_ *Config, f *Function) { f.CPUs = 0.2 })
	skipWithout(t, s, s.enforcer.groups.cpu)
	out := invoke(t, s.Client(), `{"Do":"spin","MS":1000}`)
	var got struct {
		CPU int `json:"cpu_ms"`
	}
	if err := json.Unmarshal(out.Payload, &got); err != nil {
		t.Fatalf("%v in %s", err, out.Payload)
	}
	// 200 ms of 1000, and up to one period's quota more at either end; a free process gets several hundred.
	if got.CPU > 300 {
		t.Errorf("%d ms of processor time in a second at 0.2 vCPU", got.CPU)
	}
}

func TestCPUFollowsMemory(t *testing.T) {
	c := Config{Functions: []Function{{Name: "a", MemoryMB: 884}, {Name: "b"}, {Name: "c", CPUs: -1}}}.withDefaults()
	for i, want := range []float64{884.0 / 1769, 1, -1} {
		if c.Functions[i].CPUs != want {
			t.Errorf("%s: %v vCPU, expected %v", c.Functions[i].Name, c.Functions[i].CPUs, want)
		}
	}
}

// TestWhatIsEnforcedHereIsSaid keeps the words of the status page true.
func TestWhatIsEnforcedHereIsSaid(t *testing.T) {
	s := startService(t, nil)
	d := s.Enforcement()
	if (d.Memory == "polled" || d.CPU == "not enforced") != (d.Why != "") {
		t.Errorf("%+v: what is missing must be explained, and nothing else", d)
	}
	if os.Geteuid() != 0 && !strings.Contains(d.Why, "root") {
		t.Errorf("%+v: expected to be told that root is missing", d)
	}
}
