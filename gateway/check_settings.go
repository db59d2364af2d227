package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// offlineSettings are the settings that check and replay share with run. The file and the environment may hold the others
// too: they are checked, and mean nothing here.
type offlineSettings struct {
	unmatched, malformed string
	flows                int
	idle                 time.Duration
}

func (o *offlineSettings) register(fs *pflag.FlagSet) {
	choiceVar(fs, &o.unmatched, "unmatched", "pass", "flows that no chain wants", "pass", "drop")
	choiceVar(fs, &o.malformed, "malformed", "pass", "packets whose headers contradict each other", "pass", "drop")
	fs.IntVar(&o.flows, "flows", nf.DefaultFlows, "`flows` of which the gateway notes their chain")
	fs.DurationVar(&o.idle, "flow-idle", time.Duration(nf.DefaultIdle), "a flow silent for this `long` is forgotten")
}

// compile reads the configuration, gives o what the file and the environment say, and builds every chain. All that is
// wrong is told at once.
func (o *offlineSettings) compile(cmd *cobra.Command, path string, seed uint64, measure bool) (*chain.Plan, *chain.Config, error) {
	cfg, err := chain.Load(path)
	if cfg == nil {
		return nil, nil, err
	}
	every := o.everySetting(cmd)
	err = errors.Join(err, settle(every, cfg.Keys, lookupEnv))
	if o.flows < 1 || o.flows > maxFlows {
		err = errors.Join(err, errors.New("flows: expected 1 to 268435456"))
	}
	if err != nil && len(cfg.Chains) == 0 {
		return nil, cfg, err
	}
	plan, problems := cfg.Compile(chain.Options{Seed: seed, Measure: measure, Fails: failure(every.Lookup("on-worker-failure").Value.String())})
	return plan, cfg, errors.Join(err, problems)
}

const maxFlows = 1 << 28

// everySetting is every setting that a file may hold: those of run, and in the place of the shared ones the command's own.
func (o *offlineSettings) everySetting(cmd *cobra.Command) *pflag.FlagSet {
	var run runSettings
	of, shared, all := pflag.NewFlagSet("run", pflag.ContinueOnError), pflag.NewFlagSet("shared", pflag.ContinueOnError), pflag.NewFlagSet("settings", pflag.ContinueOnError)
	run.flags(of)
	(&offlineSettings{}).register(shared)
	of.VisitAll(func(f *pflag.Flag) {
		if shared.Lookup(f.Name) != nil {
			f = cmd.Flags().Lookup(f.Name)
		}
		all.AddFlag(f)
	})
	return all
}
