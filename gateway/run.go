package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/granule-nf/granule/gateway/appliance"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var s settings.Run
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
status, and the running configuration stays. Settings, and which chains and stages there are, change at the next start.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.Compile = compiler
			again := s.Rereader(cmd.Flags(), os.LookupEnv)
			cfg, err := s.LoadContext(cmd.Context(), cmd.Flags(), os.LookupEnv)
			if cmd.Context().Err() != nil {
				return nil // stopped before there was anything to stop
			}
			if err != nil {
				return err
			}
			cfg.Reread, cfg.Version = again, version
			err = appliance.Serve(cmd.Context(), cfg, hangup, s.Logger(os.Stderr))
			if errors.Is(err, appliance.ErrReopen) {
				// In place: whoever started this process still has it, and its sockets' memory, which they leave mapped, goes.
				return fmt.Errorf("begin anew: %w", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
			}
			return err
		},
	}
	s.Flags(cmd.Flags())
	return cmd
}
