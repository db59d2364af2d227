package main

import (
	"context"
	"os"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/spf13/cobra"
)

func statusCommand() *cobra.Command {
	var ask asked
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running gateway does: ledger, workers, delays",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, s, err := ask.fetch(cmd.Context())
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
	ask.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "everything, as JSON")
	return cmd
}

// asked is the gateway that a command asks.
type asked struct{ admin, tokenFile string }

func (a *asked) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.admin, "admin", adminDefault(), "admin address of the gateway, host:port or unix:PATH")
	cmd.Flags().StringVar(&a.tokenFile, "admin-token-file", os.Getenv("GRANULE_ADMIN_TOKEN_FILE"), "file with the token that the gateway demands over TCP")
}

func (a *asked) fetch(ctx context.Context) ([]byte, *console.Status, error) {
	token, err := console.ReadToken(a.tokenFile)
	if err != nil {
		return nil, nil, err
	}
	return console.Client{Admin: a.admin, Token: token}.Fetch(ctx)
}

// adminDefault is the address that `granule run` takes from the environment, too.
func adminDefault() string {
	if v, ok := os.LookupEnv("GRANULE_ADMIN"); ok {
		return v
	}
	return settings.DefaultAdmin
}
