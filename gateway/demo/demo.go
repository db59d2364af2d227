// Package demo shows a gateway at work on one machine: three network namespaces, real traffic, a worker killed half-way, and what became of every byte and
// packet. It is the one package that ships and uses perf: the demo is an experiment for people.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
)

// Config is what a demo may be told.
type Config struct {
	Bootstrap string        // the worker's artifact; "": bootstrap beside this program
	Traffic   time.Duration // how long traffic runs, 2 s or more
}

// ErrFailed says that the demo ran to its end and that something was not as promised; what, it has printed.
var ErrFailed = errors.New("something is not as it should be")

// Run runs everything and undoes it, whatever happens: each part is undone by the function that made it. The error is ErrFailed, or says what could not be
// set up, run or removed, or that ctx ended first.
func Run(ctx context.Context, w io.Writer, s Config) (err error) {
	self, err := s.check()
	if err != nil {
		return err
	}
	v := newView(w)
	v.head()
	swept, err := rig.Sweep()
	if len(swept) > 0 {
		v.note("removed what a killed run had left: %d namespaces, folders and pins", len(swept))
	}
	if err != nil { // it is in nobody's way: names differ by process
		v.note("a killed run has left what can't be removed: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	began := time.Now()
	tp, err := topo.New(topo.Config{})
	if err != nil {
		return fmt.Errorf("make the network namespaces: %w", err)
	}
	defer func() {
		if cerr := tp.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("remove the network namespaces: %w", cerr))
		}
	}()
	v.note("three network namespaces made in %s", brief(time.Since(began)))

	began = time.Now()
	g, err := rig.Start(ctx, rig.Config{Topo: tp, Granule: self, Bootstrap: s.Bootstrap, Files: files, Flags: flags})
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, g.Stop()) }()
	v.note("gateway ready in %s: process %d, AF_XDP on both sides, workers joined over TLS 1.3", brief(time.Since(began)), g.PID())

	r := run{config: s, topo: tp, gateway: g, view: v}
	if err := r.run(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if !r.verdict() {
		fmt.Fprintf(w, "\nthe gateway's log:\n%s", g.Log())
		return ErrFailed
	}
	return nil
}

// check refuses before anything is made, and completes the settings.
func (s *Config) check() (self string, err error) {
	if os.Geteuid() != 0 {
		return "", errors.New("the demo needs root: it makes network namespaces and opens AF_XDP sockets in them; run it with sudo\n" +
			"without root, the same path runs over a capture file:\n" +
			"  granule run --config granule.yaml --inside pcap:in.pcap --outside pcap:out.pcap")
	}
	if s.Traffic < 2*time.Second {
		return "", fmt.Errorf("--traffic %s: expected 2s or more, for a worker to die in the middle of it", s.Traffic)
	}
	if self, err = os.Executable(); err != nil {
		return "", fmt.Errorf("where this program is: %w", err)
	}
	if s.Bootstrap == "" {
		s.Bootstrap = filepath.Join(filepath.Dir(self), "bootstrap")
	}
	if s.Bootstrap, err = filepath.Abs(s.Bootstrap); err != nil {
		return "", err
	}
	if _, err := os.Stat(s.Bootstrap); err != nil {
		return "", fmt.Errorf("the worker's artifact: %w; build it with `make build`, or name it with --bootstrap", err)
	}
	return self, nil
}

// interrupted says so where it was the user who ended it.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; everything the demo made is removed")
	}
	return err
}
