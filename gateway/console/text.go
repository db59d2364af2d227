package console

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes the status for a person.
func (s *Status) Print(w io.Writer) {
	state := "ready"
	if !s.Ready {
		state = "not ready: " + strings.Join(s.NotReady, "; ")
	}
	fmt.Fprintf(w, "granule %s, up %s, %s\n", s.Version, s.Time.Sub(s.Started).Round(time.Second), state)
	fmt.Fprintln(w, s.configurationLine())
	for _, why := range s.Degraded {
		fmt.Fprintln(w, "degraded:", why)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "packets\treceived\tinjected\tforwarded\tbypassed\tdropped\tin flight\t")
	row := func(name string, a Account) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, a.Received, a.Injected, a.Forwarded, a.Bypassed, a.DroppedTotal(), a.InFlight)
	}
	row("inside", s.Ledger.Ports["inside"])
	row("outside", s.Ledger.Ports["outside"])
	row("all", s.Ledger.Account)
	t.Flush()
	if len(s.Ledger.Dropped) > 0 {
		fmt.Fprintln(w, "dropped:", ByReason(s.Ledger.Dropped))
	}
	for _, side := range sides {
		if p := s.Ports[side]; p.RxDropped+p.RxRingFull+p.RxOversize+p.TxErrors+p.TxInvalid+p.TxDropped > 0 {
			fmt.Fprintf(w, "%s port: %d dropped by the kernel before the gateway had them (%d without a buffer, %d for a full ring, %d too long), %d that could not be sent\n", side,
				p.RxDropped+p.RxRingFull+p.RxOversize, p.RxDropped, p.RxRingFull, p.RxOversize, p.TxErrors+p.TxInvalid+p.TxDropped)
		}
	}
	if s.Events.Written+s.Events.Lost > 0 {
		fmt.Fprintf(w, "events: %d written, %d lost\n", s.Events.Written, s.Events.Lost)
	}
	if m := s.evictions(); len(m) > 0 {
		fmt.Fprintln(w, "given up for room by functions:", ByReason(m))
	}
	if s.Packets.Gaps > 0 {
		fmt.Fprintf(w, "stood still for longer than a second: %d times\n", s.Packets.Gaps)
	}
	fmt.Fprintf(w, "\ndelay: p50 <= %s, p99 <= %s; redispatched %d; flows %d of %d\n\n", s.Packets.DelayP50, s.Packets.DelayP99,
		s.Packets.Redispatched, s.Memory.Flows, s.Memory.FlowCapacity)
	if s.Confinement != nil {
		fmt.Fprintf(w, "local workers: %s\n\n", s.Confinement)
	}
	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "worker\tstage\tstate\tconfiguration\tage\treplaced in")
	for _, x := range s.Workers {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\n", x.ID, x.Stage, x.State, x.Of, s.Time.Sub(x.Since).Round(time.Second), x.Ends.Sub(s.Time).Round(time.Second))
	}
	t.Flush()
}

// configurationLine says which generation runs, and which is on its way.
func (s *Status) configurationLine() string {
	c := &s.Configuration
	line := fmt.Sprintf("configuration: generation %d, for %s", c.Generation, s.Time.Sub(c.Since).Round(time.Second))
	if c.Rolling != 0 {
		line += fmt.Sprintf("; generation %d is rolled out", c.Rolling)
	}
	return line
}

// DroppedTotal is the sum over all reasons.
func (a *Account) DroppedTotal() (n uint64) {
	for _, v := range a.Dropped {
		n += v
	}
	return n
}

// ByReason writes counts by name: "name count, ...", in alphabetical order.
func ByReason(m map[string]uint64) string {
	var names []string
	for k, n := range m {
		names = append(names, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}
