package replay

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/spf13/pflag"
)

// Run compiles the configuration and runs its chains over the capture to its end; command are the command's flags, those of Flags among them, parsed. A
// summary goes to stdout, warnings to stderr. The error is that of Offline.Compile, of a file that can't be opened, read or written, or names an option or
// a function that failed.
func (o *Options) Run(command *pflag.FlagSet, lookup settings.Lookup, stdout, stderr io.Writer) error {
	if o.Files.In == "" {
		return errors.New("no capture is named; expected --in and a pcap or pcapng file")
	}
	hosts, err := parseInsideHosts(o.insideHosts)
	if err != nil {
		return fmt.Errorf("--inside-hosts: %w", err)
	}
	if o.config.Batch < 1 || o.config.Batch > nf.MaxBatch {
		return fmt.Errorf("--batch: found %d; expected 1 to %d", o.config.Batch, nf.MaxBatch)
	}
	plan, _, err := o.offline.Compile(command, lookup, o.Files.Config, o.config.Seed, false)
	if err != nil {
		return err
	}
	cfg := o.config
	cfg.DropUnmatched, cfg.DropMalformed = o.offline.DropUnmatched(), o.offline.DropMalformed()
	cfg.Layer2 = o.offline.Layer2()
	flows, idle := o.offline.FlowTable()
	cfg.Flows, cfg.IdleNS = flows, int64(idle)
	return replayCapture(plan, hosts, cfg, &o.Files, stdout, stderr)
}

// replayCapture reads the capture to its end and writes the files that are wanted.
func replayCapture(plan *chain.Plan, hosts insideHosts, cfg config, files *Files, stdout, stderr io.Writer) (err error) {
	in, err := capture.Open(capture.Config{Read: files.In})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var out *capture.Port
	if files.Out != "" {
		out, err = capture.Open(capture.Config{Write: files.Out, LinkType: in.LinkType(), Nanos: in.Nanos()})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	outputs := outputFiles{stdout: stdout}
	defer func() { err = errors.Join(err, outputs.close()) }()
	eveFile, fastFile, counters := outputs.open(files.Events), outputs.open(files.FastLog), outputs.open(files.Counters)
	if outputs.err != nil {
		return outputs.err
	}

	for _, l := range settings.LeftOutOf(plan.Warnings) {
		_, _ = fmt.Fprintf(stderr, "warning: %d rules of %s are left out; the first: %v\n", l.Rules, l.File, l.First)
	}
	r := newReplay(plan, hosts, cfg)
	r.events = newEvents(eveFile, fastFile)
	started := time.Now()
	if err := r.through(in, out); err != nil {
		return err
	}
	r.finish()
	if err := r.events.flush(); err != nil {
		return fmt.Errorf("events could not be written: %w", err)
	}
	f := r.counters()
	if counters != nil {
		if err := writeCounters(counters, f); err != nil {
			return fmt.Errorf("counters could not be written: %w", err)
		}
	}
	var dropped uint64
	for _, n := range f.Packets.Dropped {
		dropped += n
	}
	if files.Events != "-" && files.Counters != "-" && files.FastLog != "-" {
		_, _ = fmt.Fprintf(stdout, "%d packets in %.3f s: %d forwarded, %d bypassed, %d dropped; %d made by functions\n",
			f.Packets.Received, time.Since(started).Seconds(), f.Packets.Forwarded, f.Packets.Bypassed, dropped, f.Packets.Injected)
	}
	if f.EventsLost > 0 {
		_, _ = fmt.Fprintf(stderr, "warning: %d events did not fit their batch and are lost; a smaller --batch makes room for more\n", f.EventsLost)
	}
	for _, n := range f.NFs {
		if n.Panic != "" { // the rest of the capture was replayed, but not as it should have been
			err = errors.Join(err, fmt.Errorf("function %s of chain %s, stage %d, failed %d times: this is a bug in it; the first time:\n%s", n.NF, n.Chain, n.Stage, n.Counters["panics"], n.Panic))
		}
	}
	return err
}

// through moves every packet of in through the chains and what leaves to out, which may be nil.
func (r *replay) through(in, out *capture.Port) error {
	frames := make([]ingress.Frame, r.cfg.Batch)
	ids := make([]uint32, 0, r.cfg.Batch)
	for !in.Done() {
		n := in.Receive(frames)
		for rest := frames[:n]; len(rest) > 0; {
			b := burst(rest)
			left := r.batch(rest[:b])
			if out != nil {
				out.Transmit(left)
			}
			rest = rest[b:]
		}
		ids = ids[:0]
		for i := range frames[:n] {
			ids = append(ids, frames[i].ID)
		}
		in.Release(ids)
	}
	if out != nil {
		out.Flush()
		if err := out.Err(); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%w; the %d packets before it were replayed", err, r.number)
	}
	return nil
}
