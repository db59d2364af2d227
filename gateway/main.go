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

	"github.com/granule-nf/granule/gateway/locallambda/confine"
	"github.com/granule-nf/granule/gateway/settings"
	_ "github.com/granule-nf/granule/lambdaworker/nf/all"
)

// version is set by the linker.
var version = "unknown"

// hangup is what SIGHUP comes by from the first moment on: it ends a process that does not expect it.
var hangup = make(chan os.Signal, 1)

func main() {
	if len(os.Args) > 1 && os.Args[1] == confine.Command {
		fmt.Fprintln(os.Stderr, "granule:", confine.Main(os.Args[2:]))
		os.Exit(1)
	}
	signal.Notify(hangup, syscall.SIGHUP)
	if self, err := os.Executable(); err == nil {
		compiler = settings.CompileProcess(self)
		confine.Program = self
	}
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

// compiler is what run compiles configurations by; nil, in tests: this process, which is no granule.
var compiler settings.Compiler

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
	cmd.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if cmd.Name() != "run" {
			signal.Reset(syscall.SIGHUP)
		}
		switch cmd.Name() {
		case "check", "replay", settings.CompileCommand: // they have nothing to put in order, and compile for minutes without looking up
			signal.Reset(os.Interrupt, syscall.SIGTERM)
		}
	}
	cmd.AddCommand(runCommand(), compileCommand(), statusCommand(), topCommand(), doctorCommand(), detachCommand(), checkCommand(), replayCommand(), demoCommand(), pktgenCommand())
	for _, c := range extra {
		cmd.AddCommand(c())
	}
	return cmd
}
