package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/granule-nf/granule/gateway/console"
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
			raw, s, err := fetchStatus(cmd.Context(), admin)
			if err != nil {
				return err
			}
			if asJSON {
				_, err := cmd.OutOrStdout().Write(raw)
				return err
			}
			printStatus(cmd.OutOrStdout(), s)
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
	return defaultAdmin
}

// fetchStatus asks the gateway at admin.
func fetchStatus(ctx context.Context, admin string) ([]byte, *console.Status, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			if path, ok := strings.CutPrefix(admin, "unix:"); ok {
				return d.DialContext(ctx, "unix", path)
			}
			return d.DialContext(ctx, "tcp", admin)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://granule/status", nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("no gateway answers at %s: %w; is `granule run` running, with that --admin?", admin, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("status of %s: %w", admin, err)
	}
	var s console.Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, nil, fmt.Errorf("status of %s: %w; expected a gateway of version %s there", admin, err, version)
	}
	return raw, &s, nil
}

func printStatus(w io.Writer, s *console.Status) {
	state := "ready"
	if !s.Ready {
		state = "not ready: " + strings.Join(s.NotReady, "; ")
	}
	fmt.Fprintf(w, "granule %s, up %s, %s\n", s.Version, s.Time.Sub(s.Started).Round(time.Second), state)
	fmt.Fprintln(w, configurationLine(s))
	for _, why := range s.Degraded {
		fmt.Fprintln(w, "degraded:", why)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "packets\treceived\tinjected\tforwarded\tbypassed\tdropped\tin flight\t")
	row := func(name string, a console.Account) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, a.Received, a.Injected, a.Forwarded, a.Bypassed, sum(a.Dropped), a.InFlight)
	}
	row("inside", s.Ledger.Ports["inside"])
	row("outside", s.Ledger.Ports["outside"])
	row("all", s.Ledger.Account)
	t.Flush()
	if len(s.Ledger.Dropped) > 0 {
		fmt.Fprintln(w, "dropped:", byReason(s.Ledger.Dropped))
	}
	fmt.Fprintf(w, "\ndelay: half below %s, 99%% below %s; replayed %d; flows %d of %d\n\n", s.Packets.DelayP50, s.Packets.DelayP99,
		s.Packets.Replayed, s.Memory.Flows, s.Memory.FlowCapacity)
	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "worker\tstage\tstate\tconfiguration\tage\treplaced in")
	for _, x := range s.Workers {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\n", x.ID, x.Stage, x.State, x.Of, s.Time.Sub(x.Since).Round(time.Second), x.Ends.Sub(s.Time).Round(time.Second))
	}
	t.Flush()
}

// configurationLine says which generation runs, and which is on its way.
func configurationLine(s *console.Status) string {
	c := &s.Configuration
	line := fmt.Sprintf("configuration: generation %d, for %s", c.Generation, s.Time.Sub(c.Since).Round(time.Second))
	if c.Rolling != 0 {
		line += fmt.Sprintf("; generation %d is rolled out", c.Rolling)
	}
	return line
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func byReason(m map[string]uint64) string {
	var names []string
	for k, n := range m {
		names = append(names, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}
