package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/granule-nf/granule/perf/rig"
	"github.com/granule-nf/granule/perf/topo"
	"github.com/spf13/cobra"
)

// demoSettings are the flags of `granule demo`.
type demoSettings struct {
	bootstrap string
	traffic   time.Duration
}

func demoCommand() *cobra.Command {
	var s demoSettings
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the gateway at work on this machine, with real traffic and a worker that dies",
		Long: `Demo makes three network namespaces - a host, the gateway, another host -, runs the gateway between the hosts with
local Lambda workers and the chain counter + firewall, sends TCP and UDP both ways, kills the active worker with SIGKILL
half-way, and says what became of every byte and packet. It needs root, nothing else, and leaves nothing behind. The exit
code is 0 if nothing was lost.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			return demo(ctx, cmd.OutOrStdout(), s)
		},
	}
	cmd.Flags().StringVar(&s.bootstrap, "bootstrap", "", "the worker's artifact (default: bootstrap beside this program)")
	cmd.Flags().DurationVar(&s.traffic, "traffic", 10*time.Second, "how long traffic runs, 2s or more")
	return cmd
}

// demo runs everything and undoes it, whatever happens: each part is undone by the function that made it.
func demo(ctx context.Context, w io.Writer, s demoSettings) (err error) {
	self, err := s.check()
	if err != nil {
		return err
	}
	swept, err := rig.Sweep()
	if err != nil {
		return fmt.Errorf("remove what a killed run left: %w", err)
	}
	v := newDemoView(w)
	v.head()
	if len(swept) > 0 {
		v.note("removed what a killed run had left: %d namespaces, folders and pins", len(swept))
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
	g, err := rig.Start(ctx, rig.Config{Topo: tp, Granule: self, Bootstrap: s.bootstrap, Files: demoFiles, Flags: demoFlags})
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, g.Stop()) }()
	v.note("gateway ready in %s: process %d, AF_XDP on both sides, workers joined over TLS 1.3", brief(time.Since(began)), g.PID())

	r := demoRun{settings: s, topo: tp, gateway: g, view: v}
	if err := r.run(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if !r.verdict() {
		fmt.Fprintf(w, "\nthe gateway's log:\n%s", g.Log())
		return exitCode(1)
	}
	return nil
}

// check refuses before anything is made, and completes the settings.
func (s *demoSettings) check() (self string, err error) {
	if os.Geteuid() != 0 {
		return "", errors.New("the demo needs root: it makes network namespaces and opens AF_XDP sockets in them; run it with sudo\n" +
			"without root, the same path runs over a capture file:\n" +
			"  granule run --config granule.yaml --inside pcap:in.pcap --outside pcap:out.pcap")
	}
	if s.traffic < 2*time.Second {
		return "", fmt.Errorf("--traffic %s: expected 2s or more, for a worker to die in the middle of it", s.traffic)
	}
	if self, err = os.Executable(); err != nil {
		return "", fmt.Errorf("where this program is: %w", err)
	}
	if s.bootstrap == "" {
		s.bootstrap = filepath.Join(filepath.Dir(self), "bootstrap")
	}
	if s.bootstrap, err = filepath.Abs(s.bootstrap); err != nil {
		return "", err
	}
	if _, err := os.Stat(s.bootstrap); err != nil {
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
