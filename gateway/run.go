package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var s runSettings
	cmd := &cobra.Command{
		Use:   "run --inside PORT --outside PORT --config FILE",
		Short: "Run the gateway on two interfaces, or over a capture file",
		Long: `Run takes packets off one port, has the chains of the configuration judge them on Lambda workers, and sends
them out of the other port in order. A port is an interface (AF_XDP, needs root) or pcap:FILE: the inside one is
read, the outside one written.

Every flag is also a key of the same name in the configuration file, and an environment variable: --max-delay is
max-delay and GRANULE_MAX_DELAY. The flag wins over the environment, the environment over the file.

On SIGHUP it reopens the --events file, for log rotation, and reads the configuration and every file it names again.
If all of it is right, workers with it are started and take over; if anything is wrong, it is logged and shown by
status, and what runs runs on. Settings, and which chains and stages there are, change at the next start.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			again := s.rereader(cmd.Flags(), lookupEnv)
			cfg, err := s.load(cmd.Flags(), lookupEnv)
			if err != nil {
				return err
			}
			cfg.Reread = again
			return runAppliance(cmd.Context(), cfg, s.logger(os.Stderr))
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

func runAppliance(ctx context.Context, cfg applianceConfig, log *slog.Logger) error {
	if _, file := capturePath(cfg.Ports.Inside); !file && runtime.GOARCH != "amd64" {
		return fmt.Errorf("the AF_XDP port needs amd64, and this is %s: the ring library has no memory barriers; capture files work", runtime.GOARCH)
	}
	hup := make(chan os.Signal, 1) // before anything is opened: a SIGHUP that nobody expects ends a process
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	a, err := newAppliance(cfg, log)
	if err != nil {
		return err
	}
	err = a.runReloading(ctx, hup)
	s := a.status()
	log.Info("stopped", "received", s.Ledger.Received, "injected", s.Ledger.Injected, "forwarded", s.Ledger.Forwarded,
		"bypassed", s.Ledger.Bypassed, "dropped", s.Ledger.Dropped, "in_flight", s.Ledger.InFlight)
	return errors.Join(err, a.close())
}

// failure is what the setting on-worker-failure says for functions, too, where a chain says nothing.
func failure(policy string) nf.Failure {
	if policy == "open" {
		return nf.FailOpen
	}
	return nf.FailClosed
}

// loadChains reads and compiles the configuration at path; settleKeys settles the settings that it holds,
// on which options may depend. All that is wrong is told at once.
func loadChains(path string, settleKeys func([]chain.Key) error, options func() chain.Options) (*chain.Plan, error) {
	if path == "" {
		return nil, errors.New("no configuration: name one with --config")
	}
	cfg, err := chain.Load(path)
	if cfg == nil {
		return nil, err
	}
	err = errors.Join(err, settleKeys(cfg.Keys))
	if err != nil && len(cfg.Chains) == 0 {
		return nil, err
	}
	compiled, problems := cfg.Compile(options())
	return compiled, errors.Join(err, problems)
}
