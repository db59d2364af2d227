package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/granule-nf/granule/gateway/settings"
)

// compileCommand is what run starts to have a configuration compiled; nobody types it.
func compileCommand() *cobra.Command {
	return &cobra.Command{
		Use:    settings.CompileCommand,
		Short:  "Compile a configuration for run",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return settings.ServeCompile(os.Stdin, os.Stdout, os.LookupEnv)
		},
	}
}
