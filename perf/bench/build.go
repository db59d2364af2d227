package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are the contestants' programs.
type programs struct{ dir, barexdp, wireguard string }

// build makes the programs that are there for the bench alone, in a folder of their own.
func build(ctx context.Context, s *settings) (p programs, err error) {
	for _, path := range []*string{&s.granule, &s.bootstrap} {
		if *path, err = filepath.Abs(*path); err != nil {
			return p, err
		}
		if _, err := os.Stat(*path); err != nil {
			return p, fmt.Errorf("%w; build it with `make build`", err)
		}
	}
	root, err := moduleRoot()
	if err != nil {
		return p, err
	}
	if p.dir, err = os.MkdirTemp("", fmt.Sprintf("granule-rig-%d-", os.Getpid())); err != nil { // a name that rig.Sweep knows
		return p, err
	}
	p.barexdp, p.wireguard = filepath.Join(p.dir, "barexdp"), filepath.Join(p.dir, "wireguard")
	for _, b := range []struct{ module, pkg, out string }{
		{root, "./perf/barexdp", p.barexdp},
		{filepath.Join(root, "perf", "peers"), "./wireguard", p.wireguard},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-C", b.module, "-o", b.out, b.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			_ = os.RemoveAll(p.dir)
			return p, fmt.Errorf("build %s in %s: %w\n%s", b.pkg, b.module, err, out)
		}
	}
	return p, nil
}

// moduleRoot is where go.mod stands, above the current folder.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", fmt.Errorf("the bench builds the contestants from source: run it inside the repository (go env GOMOD says %q)", mod)
	}
	return filepath.Dir(mod), nil
}
