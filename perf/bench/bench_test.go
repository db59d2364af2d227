package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBenchRuns takes every probe of every contestant once, briefly: figures come out, whatever they are.
func TestBenchRuns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("%s needs root: it makes network namespaces", t.Name())
	}
	if testing.Short() {
		t.Skipf("%s takes half a minute", t.Name())
	}
	dir := t.TempDir()
	s := settings{granule: filepath.Join(dir, "granule"), bootstrap: filepath.Join(dir, "bootstrap"), rounds: 1, seconds: 0.5}
	for out, args := range map[string][]string{s.granule: {"../../gateway"}, s.bootstrap: {"-tags", "lambda.norpc", "../../lambdaworker"}} {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", out}, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	r, err := bench(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.rows() {
		if !x.there || math.IsNaN(x.value) || x.value < 0 || !strings.Contains(x.what, "heap") && x.value == 0 {
			t.Errorf("%s: %v (measured: %t)", x.what, x.value, x.there)
		}
	}
	if r.Flows == nil || r.Flows.BytesPerFlow <= 0 || r.SlotBytes <= 4096 {
		t.Errorf("memory: %+v, %d B a parked packet", r.Flows, r.SlotBytes)
	}
	text := new(strings.Builder)
	r.print(text)
	t.Log(text)
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestMedianAndRatio(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(c.v); got != c.want {
			t.Errorf("median of %v: %v, expected %v", c.v, got, c.want)
		}
	}
	r := newResults(settings{}, "")
	for i, v := range []float64{1, 2, 30} {
		r.add("x", "a", v)
		r.add("x", "b", []float64{2, 4, 30}[i])
	}
	if got, ok := r.ratio("x", "a", "b"); got != 0.5 || !ok {
		t.Errorf("ratio %v, %t", got, ok)
	}
	if _, ok := r.ratio("x", "a", "nobody"); ok {
		t.Error("a ratio against nobody")
	}
}

func TestMarks(t *testing.T) {
	for _, c := range []struct {
		value float64
		less  bool
		want  string
	}{{0.3, false, "BELOW"}, {0.4, false, "PASS"}, {0.7, false, "PASS, aim reached"}, {0.8, true, "BELOW"}} {
		w := row{value: c.value, floor: 0.4, aim: 0.6, less: c.less}
		if got := w.mark(); got != c.want {
			t.Errorf("%v: %s, expected %s", c.value, got, c.want)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	for _, s := range []settings{{rounds: 0, seconds: 1}, {rounds: 1, seconds: 0}, {rounds: 1, seconds: 1, only: "tcp,speed"}} {
		if _, err := s.probes(); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

// TestFlowKeysDiffer: a million flows are a million keys.
func TestFlowKeysDiffer(t *testing.T) {
	seen := map[any]bool{}
	for i := range uint64(10_000) {
		k := flowKey(i * 104_729)
		if seen[k] {
			t.Fatalf("flow %d has the key of another", i)
		}
		seen[k] = true
	}
}
