package settings

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Offline are the settings that `granule check` and `granule replay` share with run. The file and the environment may hold the others
// too: they are checked, and mean nothing here.
type Offline struct {
	unmatched, malformed string
	layer2               []string
	crosses              classify.Layer2 // what layer2 says
	flows                int
	idle                 time.Duration
	run                  Run // the settings that mean nothing here, as the file and the environment have them
}

// Flags adds the settings to a command's flags.
func (o *Offline) Flags(fs *pflag.FlagSet) {
	choiceVar(fs, &o.unmatched, "unmatched", "pass", unmatchedUsage, "pass", "drop")
	fs.StringSliceVar(&o.layer2, "layer2", classify.Layer2Names(), layer2Usage)
	choiceVar(fs, &o.malformed, "malformed", "pass", "packets whose headers contradict each other", "pass", "drop")
	fs.IntVar(&o.flows, "flows", nf.DefaultFlows, "`flows` that a stage keeps, and of which the gateway notes their chain")
	fs.DurationVar(&o.idle, "flow-idle", time.Duration(nf.DefaultIdle), "a flow silent for this `long` is forgotten")
}

// Compile reads the configuration at path, gives o what the file and the environment say, and builds every chain with the seed; measure has it
// measure the stages' memory. command are the command's flags, those of Flags among them. The error joins all that is wrong: that of reading the
// file, nf.Problems where something has a place, and errors that begin with a setting's name.
func (o *Offline) Compile(command *pflag.FlagSet, lookup Lookup, path string, seed uint64, measure bool) (*chain.Plan, *chain.Config, error) {
	cfg, err := chain.Load(path)
	if cfg == nil {
		return nil, nil, err
	}
	every := o.everySetting(command)
	err = errors.Join(err, resolve(every, cfg.Keys, lookup))
	if o.flows < 1 || o.flows > maxFlows {
		err = errors.Join(err, errors.New("flows: expected 1 to 268435456"))
	}
	crosses, bad := classify.ParseLayer2(o.layer2)
	o.crosses, err = crosses, errors.Join(err, bad)
	if err != nil && len(cfg.Chains) == 0 {
		return nil, cfg, err
	}
	plan, problems := cfg.Compile(chain.Options{Seed: seed, Flows: o.flows, Measure: measure, Fails: failure(every.Lookup("on-worker-failure").Value.String())})
	return plan, cfg, errors.Join(err, problems)
}

const maxFlows = 1 << 28

const (
	unmatchedUsage = "flows that no chain wants, and what is neither IP nor on the list layer2"
	layer2Usage    = "what crosses unjudged, by name or EtherType (0x88cc); none: nothing. Neighbour discovery, IGMP and MLD cross only in the form that their RFCs demand"
)

// everySetting is every setting that a file may hold: those of run, and in the place of the shared ones the command's own.
func (o *Offline) everySetting(command *pflag.FlagSet) *pflag.FlagSet {
	of, shared, all := pflag.NewFlagSet("run", pflag.ContinueOnError), pflag.NewFlagSet("shared", pflag.ContinueOnError), pflag.NewFlagSet("settings", pflag.ContinueOnError)
	o.run.Flags(of)
	(&Offline{}).Flags(shared)
	of.VisitAll(func(f *pflag.Flag) {
		if shared.Lookup(f.Name) != nil {
			f = command.Lookup(f.Name)
		}
		all.AddFlag(f)
	})
	return all
}

// DropUnmatched reports whether flows that no chain wants are dropped.
func (o *Offline) DropUnmatched() bool { return o.unmatched == "drop" }

// DropMalformed reports whether packets whose headers contradict each other are dropped.
func (o *Offline) DropMalformed() bool { return o.malformed == "drop" }

// Layer2 is what crosses unjudged; Compile has read it.
func (o *Offline) Layer2() classify.Layer2 { return o.crosses }

// FlowTable is how many flows are noted at a time, and how long a silent one is.
func (o *Offline) FlowTable() (flows int, idle time.Duration) { return o.flows, o.idle }

// memory is what a gateway with these settings takes, for one queue a port, with so many bytes of bundles.
func (o *Offline) memory(payload int) Memory {
	return memoryOf(1, o.flows, o.run.slots, o.run.replicaMB, payload)
}
