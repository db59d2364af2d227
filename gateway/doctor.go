package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/nic"
	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	var inside, outside string
	cmd := &cobra.Command{
		Use:   "doctor --inside INTERFACE --outside INTERFACE",
		Short: "Say what would be wrong with two interfaces as ports, and the command that mends it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := nic.CheckSystem()
			if inside != "" || outside != "" {
				checks = afxdp.Doctor(afxdp.WireConfig{Interfaces: [2]string{inside, outside}})
			}
			if failed := printChecks(cmd.OutOrStdout(), checks); failed > 0 {
				return fmt.Errorf("%d checks failed", failed)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&inside, "inside", "", "interface that is to be the inside port")
	cmd.Flags().StringVar(&outside, "outside", "", "interface that is to be the outside port")
	return cmd
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
