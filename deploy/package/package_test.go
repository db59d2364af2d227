//go:build deploy

// Package package_test builds the Debian package, twice, and lives through what an administrator does with it: install, run,
// upgrade, remove, purge, in a Debian root of its own. `make test-deploy` runs it.
package package_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const checkout = "../.."

// TestUnit asks systemd itself about the unit: no word that it doesn't know, and no more exposure than 2.6.
func TestUnit(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	dir := t.TempDir()
	unit, err := os.ReadFile("granule@.service")
	if err != nil {
		t.Fatal(err)
	}
	// verify wants the programs to be there.
	program := filepath.Join(dir, "granule")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit = bytes.ReplaceAll(unit, []byte("/usr/bin/granule"), []byte(program))
	file := filepath.Join(dir, "granule@.service")
	if err := os.WriteFile(file, unit, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "granule@") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err = exec.Command(analyze, "security", "--offline=yes", file).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	m := regexp.MustCompile(`Overall exposure level for \S+: (\d+\.\d+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no level in:\n%s", out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 2.6 {
		t.Errorf("exposure %s, want 2.6 or less:\n%s", m[1], out)
	}
}

// TestReproducible builds the package in two copies of the checkout, at two paths, and expects the same bytes.
func TestReproducible(t *testing.T) {
	var sums [2][32]byte
	for i := range sums {
		deb, err := os.ReadFile(build(t, filepath.Join(t.TempDir(), strings.Repeat("x", 1+7*i))))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(deb)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of one commit: %x and %x", sums[0], sums[1])
	}
}

// build clones the checkout's HEAD into dir and makes the package there.
func build(t *testing.T, dir string) (deb string) {
	t.Helper()
	run(t, "", "git", "clone", "-q", checkout, dir)
	run(t, dir, "deploy/package/build.sh")
	debs, err := filepath.Glob(filepath.Join(dir, "dist", "granule_*_amd64.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages in dist: %v, %v", debs, err)
	}
	return debs[0]
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s needs %s, which is not on this machine", t.Name(), program)
	}
	return path
}
