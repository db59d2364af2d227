// Command bench is `make bench`: the gateway against a Linux bridge, wireguard-go and a bare AF_XDP loop, on this machine, in
// network namespaces of its own.
//
// Contestants take turns, round after round, each time on a fresh wire, so that what the machine does meanwhile meets all of
// them. Printed are medians, spreads and ratios. The exit code says whether something is broken, never whether something is
// slow.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/granule-nf/granule/perf/rig"
)

// settings are the flags.
type settings struct {
	granule, bootstrap string
	only               string
	rounds             int
	seconds            float64
	json               bool
}

func main() {
	var s settings
	flag.StringVar(&s.granule, "granule", "bin/granule", "the gateway's program")
	flag.StringVar(&s.bootstrap, "bootstrap", "bin/bootstrap", "the worker's artifact")
	flag.StringVar(&s.only, "only", "", "what to measure, of "+strings.Join(allProbes, ",")+" (all)")
	flag.IntVar(&s.rounds, "rounds", 5, "how many times each contestant is measured")
	flag.Float64Var(&s.seconds, "seconds", 3, "how long a measurement lasts")
	flag.BoolVar(&s.json, "json", false, "print the figures as JSON instead of a table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	r, err := bench(ctx, s)
	if r != nil {
		if s.json {
			enc := json.NewEncoder(os.Stdout)
			enc.SetIndent("", "  ")
			err = errors.Join(err, enc.Encode(r))
		} else {
			r.print(os.Stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures everything asked for. With an error the results so far come too.
func bench(ctx context.Context, s settings) (_ *results, err error) {
	want, err := s.probes()
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("the bench needs root: it makes network namespaces and opens AF_XDP sockets")
	}
	if _, err := rig.Sweep(); err != nil {
		return nil, err
	}
	built, err := build(ctx, &s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(built.dir)) }()
	r := newResults(s, hostLine())
	for round := range s.rounds {
		for _, c := range contestants(s, built) {
			probes := c.probes(want)
			if len(probes) == 0 {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, s.rounds, c.name)
			if err := measure(ctx, c, probes, s.length(), round, r); err != nil {
				return r, fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	if want["flows"] {
		r.Flows = measureFlows()
	}
	return r, nil
}

func (s *settings) length() time.Duration { return time.Duration(s.seconds * float64(time.Second)) }

// allProbes are what can be measured.
var allProbes = []string{"rtt", "tcp", "pps", "cost", "flows"}

func (s *settings) probes() (map[string]bool, error) {
	if s.rounds < 1 || s.seconds < 0.2 {
		return nil, fmt.Errorf("-rounds %d -seconds %g: expected 1 and 0.2 at least", s.rounds, s.seconds)
	}
	names := allProbes
	if s.only != "" {
		names = strings.Split(s.only, ",")
	}
	want := map[string]bool{}
	for _, n := range names {
		if !strings.Contains(","+strings.Join(allProbes, ",")+",", ","+n+",") {
			return nil, fmt.Errorf("-only %s: %q is not one of %s", s.only, n, strings.Join(allProbes, ", "))
		}
		want[n] = true
	}
	return want, nil
}

// hostLine is the machine in a few words.
func hostLine() string {
	var u syscall.Utsname
	release := "?"
	if syscall.Uname(&u) == nil {
		var b []byte
		for _, c := range u.Release {
			if c == 0 {
				break
			}
			b = append(b, byte(c))
		}
		release = string(b)
	}
	return fmt.Sprintf("%d CPUs, Linux %s, %s", runtime.NumCPU(), release, runtime.Version())
}
