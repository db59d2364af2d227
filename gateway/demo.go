package main

import (
	"errors"
	"os/signal"
	"syscall"
	"time"

	"github.com/granule-nf/granule/gateway/demo"
	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var cfg demo.Config
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
			err := demo.Run(ctx, cmd.OutOrStdout(), cfg)
			if errors.Is(err, demo.ErrFailed) {
				return exitCode(1) // it has said what
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cfg.Bootstrap, "bootstrap", "", "the worker's artifact (default: bootstrap beside this program)")
	cmd.Flags().DurationVar(&cfg.Traffic, "traffic", 10*time.Second, "how long traffic runs, 2s or more")
	return cmd
}
