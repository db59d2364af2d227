package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"github.com/granule-nf/granule/gateway/chain"
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
max-delay and GRANULE_MAX_DELAY. The flag wins over the environment, the environment over the file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd.Flags(), lookupEnv)
			if err != nil {
				return err
			}
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
	a, err := newAppliance(cfg, log)
	if err != nil {
		return err
	}
	err = a.run(ctx)
	s := a.status()
	log.Info("stopped", "received", s.Ledger.Received, "injected", s.Ledger.Injected, "forwarded", s.Ledger.Forwarded,
		"bypassed", s.Ledger.Bypassed, "dropped", s.Ledger.Dropped, "in_flight", s.Ledger.InFlight)
	return errors.Join(err, a.close())
}

// loadChains reads and compiles the configuration at path; flags settle the settings that it holds.
func loadChains(path string, settleKeys func([]chain.Key) error) (*chain.Plan, error) {
	if path == "" {
		return nil, errors.New("no configuration: name one with --config")
	}
	cfg, err := chain.Load(path)
	if err != nil {
		return nil, err
	}
	if err := settleKeys(cfg.Keys); err != nil {
		return nil, err
	}
	return cfg.Compile(chain.Options{Seed: randomSeed()})
}
