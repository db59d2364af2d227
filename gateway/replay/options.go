package replay

import (
	"github.com/granule-nf/granule/gateway/settings"
	"github.com/spf13/pflag"
)

// Options are what a replay may be told.
type Options struct {
	Files       Files
	insideHosts []string
	config      config
	offline     settings.Offline
}

// Files are the files of a replay; "" is not wanted, and "-" the standard output.
type Files struct {
	Config, In, Out, Events, FastLog, Counters string
}

// Flags adds the options to a command's flags.
func (o *Options) Flags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	fs.StringVarP(&o.Files.Config, "config", "c", "granule.yaml", "the configuration `file`")
	fs.StringVarP(&o.Files.In, "in", "i", "", "the capture `file` to read")
	fs.StringVarP(&o.Files.Out, "out", "o", "", "write the packets that leave to this `file`, pcap")
	fs.StringVar(&o.Files.Events, "events", "", "write events to this `file`, EVE JSON lines; - is the standard output")
	fs.StringVar(&o.Files.FastLog, "fast-log", "", "write alerts to this `file`, one short line each; - is the standard output")
	fs.StringVar(&o.Files.Counters, "counters", "", "write counters to this `file`, JSON; - is the standard output")
	fs.StringSliceVar(&o.insideHosts, "inside-hosts", nil, "`hosts` inside: Ethernet addresses, IP addresses, prefixes; none: whoever opens a flow")
	fs.BoolVar(&o.config.Injected, "injected", false, "write the frames that functions make too")
	fs.IntVar(&o.config.Batch, "batch", defaultBatch, "`packets` judged together, 1 to 256; the result is the same")
	fs.Uint64Var(&o.config.Seed, "seed", 1, "`number` that keys hashes and whatever functions draw from chance")
	o.offline.Flags(fs)
}
