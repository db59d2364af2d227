// Command granule is the gateway: a bump in the wire whose network functions run on Lambda.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/granule-nf/granule/gateway/settings"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		var silent exitCode
		if !errors.As(err, &silent) {
			settings.PrintProblems(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(int(silent))
	}
}

// exitCode ends the process with a code and no further word: what there is to say has been said.
type exitCode int

// Error implements error.
func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// extra are commands of builds with a tag.
var extra []func() *cobra.Command

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "granule",
		Short:         "A gateway whose network functions run on Lambda",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(runCommand(), statusCommand(), topCommand(), doctorCommand(), checkCommand(), replayCommand(), demoCommand(), pktgenCommand())
	for _, c := range extra {
		cmd.AddCommand(c())
	}
	return cmd
}
