package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/capture"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// replayFiles are the files of a replay; "" is not wanted.
type replayFiles struct {
	config, in, out, events, fastLog, counters string
}

func replayCommand() *cobra.Command {
	var files replayFiles
	var cfg replayConfig
	var insides []string
	var offline offlineSettings
	cmd := &cobra.Command{
		Use:   "replay --config granule.yaml --in in.pcap",
		Short: "run the chains over a capture in this process: what would they do?",
		Long: `Replay runs the chains of a configuration over a capture file, pcap or pcapng, in this process, with the code that
workers run: what passes, what is dropped and why, alerts, counters of every rule. No worker, port or privilege is
needed.

--out takes the packets that leave, in the order of the capture: bytes and times untouched, but for what a function
rewrote. Frames that functions make themselves (a RST, an ICMP error) are counted; with --injected they are written
too, behind the packet that caused each. What is not IP crosses untouched and is counted as bypassed; so do
flows that no chain wants, unless unmatched is drop. Other than on the wire, every IP packet meets its chain, multicast
and neighbour discovery too.

--events takes EVE JSON lines: alerts, anomalies, and a drop with its reason for every packet dropped; flows and statistics too of chains
whose event-types name them. pcap_cnt is the packet's
number in the capture. --counters takes a JSON object in which received = forwarded + bypassed + dropped.

A capture does not say on which side a packet was caught. Name the hosts inside with --inside-hosts; with none named,
whoever opens a flow is inside.`,
		Example: `  granule replay --config granule.yaml --in in.pcap --out out.pcap --events eve.json --counters counters.json
  granule replay --config granule.yaml --in in.pcap --events - | jq 'select(.event_type == "alert")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if files.in == "" {
				return errors.New("no capture is named; expected --in and a pcap or pcapng file")
			}
			hosts, err := parseInsideHosts(insides)
			if err != nil {
				return fmt.Errorf("--inside-hosts: %w", err)
			}
			if cfg.Batch < 1 || cfg.Batch > nf.MaxBatch {
				return fmt.Errorf("--batch: found %d; expected 1 to %d", cfg.Batch, nf.MaxBatch)
			}
			plan, _, err := offline.compile(cmd, files.config, cfg.Seed, false)
			if err != nil {
				return err
			}
			cfg.DropUnmatched, cfg.DropMalformed = offline.unmatched == "drop", offline.malformed == "drop"
			cfg.Flows, cfg.IdleNS = offline.flows, int64(offline.idle)
			return replayCapture(plan, hosts, cfg, files, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&files.config, "config", "c", "granule.yaml", "the configuration `file`")
	fs.StringVarP(&files.in, "in", "i", "", "the capture `file` to read")
	fs.StringVarP(&files.out, "out", "o", "", "write the packets that leave to this `file`, pcap")
	fs.StringVar(&files.events, "events", "", "write events to this `file`, EVE JSON lines; - is the standard output")
	fs.StringVar(&files.fastLog, "fast-log", "", "write alerts to this `file`, one short line each; - is the standard output")
	fs.StringVar(&files.counters, "counters", "", "write counters to this `file`, JSON; - is the standard output")
	fs.StringSliceVar(&insides, "inside-hosts", nil, "`hosts` inside: Ethernet addresses, IP addresses, prefixes; none: whoever opens a flow")
	fs.BoolVar(&cfg.Injected, "injected", false, "write the frames that functions make too")
	fs.IntVar(&cfg.Batch, "batch", replayBatch, "`packets` judged together, 1 to 256; the result is the same")
	fs.Uint64Var(&cfg.Seed, "seed", 1, "`number` that keys hashes and whatever functions draw from chance")
	offline.register(fs)
	return cmd
}

// replayCapture reads the capture to its end and writes the files that are wanted.
func replayCapture(plan *chain.Plan, hosts insideHosts, cfg replayConfig, files replayFiles, stdout, stderr io.Writer) (err error) {
	in, err := capture.Open(capture.Config{Read: files.in})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var out *capture.Port
	if files.out != "" {
		out, err = capture.Open(capture.Config{Write: files.out, LinkType: in.LinkType(), Nanos: in.Nanos()})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	outputs := outputFiles{stdout: stdout}
	defer func() { err = errors.Join(err, outputs.close()) }()
	eveFile, fastFile, counters := outputs.open(files.events), outputs.open(files.fastLog), outputs.open(files.counters)
	if outputs.err != nil {
		return outputs.err
	}

	r := newReplay(plan, hosts, cfg)
	r.events = newReplayEvents(eveFile, fastFile)
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
	if files.events != "-" && files.counters != "-" && files.fastLog != "-" {
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

// outputFiles opens the files of a command, each once: two kinds of lines may go to one.
type outputFiles struct {
	stdout io.Writer
	files  map[string]*os.File
	err    error
}

func (o *outputFiles) open(path string) io.Writer {
	switch {
	case path == "":
		return nil
	case path == "-":
		return o.stdout
	case o.files[path] != nil:
		return o.files[path]
	}
	f, err := os.Create(path)
	if err != nil {
		o.err = errors.Join(o.err, err)
		return nil
	}
	if o.files == nil {
		o.files = map[string]*os.File{}
	}
	o.files[path] = f
	return f
}

func (o *outputFiles) close() (err error) {
	for _, f := range o.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
