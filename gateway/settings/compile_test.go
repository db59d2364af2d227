package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a process of its own compiles is what this one would have: it is asked and answers in JSON.
func TestCompiledCrossesAProcess(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "edge.nft"), []byte(acceptRules), 0o600); err != nil {
		t.Fatal(err)
	}
	none := func(string) (string, bool) { return "", false }
	r := CompileRequest{Path: filepath.Join(dir, "granule.yaml"), Text: []byte(strings.Replace(oneChain, "edge\n", "edge\n    match: udp\n", 1) + "ship: full\nworkers: 3\n"), Seed: 7}
	here := r.Compile(none, nil)
	request, err := json.Marshal(r)
	if err != nil || here.error() != nil {
		t.Fatal(err, here.error())
	}
	text, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	var there Compiled
	var again CompileRequest
	if err := errors.Join(json.Unmarshal(text, &there), json.Unmarshal(request, &again), there.Plan.choose()); err != nil {
		t.Fatal(err)
	}
	if b := there.Plan.Bundles[0]; !bytes.Equal(b.Stage, here.Plan.Bundles[0].Stage) || !bytes.Equal(b.Files, here.Plan.Bundles[0].Files) || len(b.Files) == 0 {
		t.Errorf("bundle %+v", b)
	}
	if len(there.Keys) != 2 || there.Keys[1].Name != "workers" || !there.Plan.Stages[0].Whole || there.Plan.Choose(make([]byte, 60), 60) != -1 {
		t.Errorf("%+v", there)
	}
}

// A process that does not come to an end is given up with the context, and one that ends badly says why.
func TestCompilerThatHangsOrFails(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	run := func(ctx context.Context, script string) error {
		t.Helper()
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := CompileProcess(program)(ctx, CompileRequest{Path: "granule.yaml"})
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := run(ctx, "exec sleep 600"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hangs: %v", err)
	}
	for script, want := range map[string]string{
		"echo 'fatal error: runtime: out of memory' >&2; exit 2": "more memory than compile-memory allows",
		"exit 3":                       "within compile-timeout",
		"echo no JSON":                 "answered something else",
		"echo 'what went' >&2; exit 1": "what went",
	} {
		if err := run(t.Context(), script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; expected %q", script, err, want)
		}
	}
}
