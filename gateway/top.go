package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/granule-nf/granule/gateway/console"
	"github.com/spf13/cobra"
)

func topCommand() *cobra.Command {
	var ask asked
	var every time.Duration
	var count int
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch a running gateway: rates, delays, ledger, workers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return top(cmd.Context(), cmd.OutOrStdout(), &ask, every, count)
		},
	}
	ask.flags(cmd)
	cmd.Flags().DurationVar(&every, "every", time.Second, "time between two updates")
	cmd.Flags().IntVar(&count, "count", 0, "how many updates; 0: until interrupted")
	return cmd
}

func top(ctx context.Context, w io.Writer, ask *asked, every time.Duration, count int) error {
	if every <= 0 {
		return fmt.Errorf("--every %v: a time above 0 is expected", every)
	}
	var last *console.Status
	for n := 0; count == 0 || n < count; n++ {
		if n > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(every):
			}
		}
		_, s, err := ask.fetch(ctx)
		if err != nil {
			return err
		}
		if count != 1 {
			fmt.Fprint(w, "\x1b[H\x1b[2J") // home, clear
		}
		if last != nil && !last.Started.Equal(s.Started) {
			last = nil // another gateway than a moment ago: its counters began anew
		}
		if last != nil {
			s.RatesSince(last).Print(w)
		}
		s.Print(w)
		last = s
	}
	return nil
}
