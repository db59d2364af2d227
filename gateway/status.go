package main

import (
	"os"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/spf13/cobra"
)

func statusCommand() *cobra.Command {
	var admin string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running gateway does: ledger, workers, delays",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, s, err := console.Fetch(cmd.Context(), admin)
			if err != nil {
				return err
			}
			if asJSON {
				_, err := cmd.OutOrStdout().Write(raw)
				return err
			}
			s.Print(cmd.OutOrStdout())
			return nil
		},
	}
	cmd.Flags().StringVar(&admin, "admin", adminDefault(), "admin address of the gateway, host:port or unix:PATH")
	cmd.Flags().BoolVar(&asJSON, "json", false, "everything, as JSON")
	return cmd
}

// adminDefault is the address that `granule run` takes from the environment, too.
func adminDefault() string {
	if v, ok := os.LookupEnv("GRANULE_ADMIN"); ok {
		return v
	}
	return settings.DefaultAdmin
}
