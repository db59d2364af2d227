package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/nic"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// doctorFlags are the settings of `granule run` on which it depends whether two interfaces can be ports.
var doctorFlags = []string{
	"config", "inside", "outside", "jumbo", "xdp-mode", "instance", "allow-port", "on-process-failure",
	"lambda", "lambda-region", "lambda-profile", "relay-advertise",
}

func doctorCommand() *cobra.Command {
	var s settings.Run
	every := pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.Flags(every)
	cmd := &cobra.Command{
		Use:   "doctor --inside INTERFACE --outside INTERFACE",
		Short: "Say what would be wrong with two interfaces as ports, and the command that fixes it",
		Long: `Doctor looks at this machine and at the two interfaces as ` + "`granule run`" + ` would with the same settings, and touches nothing.
Settings come from flags, the environment and the configuration file, as with run. Without interfaces it looks at the machine alone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := examine(cmd.Context(), &s, every, os.LookupEnv)
			if err != nil {
				return err
			}
			if failed := printChecks(cmd.OutOrStdout(), checks); failed > 0 {
				return fmt.Errorf("%d checks failed", failed)
			}
			return nil
		},
	}
	for _, name := range doctorFlags {
		cmd.Flags().AddFlag(every.Lookup(name))
	}
	return cmd
}

// examine looks at the machine, and at the interfaces if any are named.
func examine(ctx context.Context, s *settings.Run, fs *pflag.FlagSet, lookup settings.Lookup) ([]nic.Check, error) {
	ports, fleet, err := s.LoadPorts(fs, lookup)
	if err != nil {
		return nil, err
	}
	if ports.Inside == "" && ports.Outside == "" {
		return nic.CheckSystem(), nil
	}
	for _, port := range []string{ports.Inside, ports.Outside} {
		if _, file := settings.CapturePath(port); file {
			return nil, fmt.Errorf("port %s is a capture file: doctor looks at interfaces; name them with --inside and --outside", port)
		}
	}
	ports.XDP.Interfaces = [2]string{ports.Inside, ports.Outside}
	unknown := settings.ManagementPaths(ctx, &ports.XDP, &fleet)
	checks := afxdp.Doctor(ports.XDP)
	for _, what := range unknown {
		checks = append(checks, nic.Check{
			Subject: "system", Name: "path to workers", State: nic.Warn, Found: what,
			Expected: "addresses, to see that the path to them leads through no port",
		})
	}
	return checks, nil
}

func printChecks(w io.Writer, checks []nic.Check) (failed int) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range checks {
		fmt.Fprintf(t, "%s\t%s\t%s: %s\n", c.State, c.Subject, c.Name, c.Found)
		if c.State == nic.OK {
			continue
		}
		if c.State == nic.Fail {
			failed++
		}
		fmt.Fprintf(t, "\t\texpected: %s\n", c.Expected)
		if c.Mend != "" {
			fmt.Fprintf(t, "\t\t  $ %s\n", c.Mend)
		}
	}
	t.Flush()
	return failed
}
