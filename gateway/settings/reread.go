package settings

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
)

// Reading is the configuration as it stands in its files at one moment.
type Reading struct {
	Plan          *Plan
	DropUnmatched bool
	Waiting       []string // settings that say otherwise than what runs, and can't change while it does
}

// Reread reads the configuration again, and checks it as the start did, with the errors of Run.LoadContext.
type Reread func(ctx context.Context) (Reading, error)

// reloadable are settings that a reload changes; chains and the files they name are no settings.
var reloadable = map[string]bool{"unmatched": true}

// Rereader is called before Load, when fs holds the command line alone: that stays, the file may change.
func (s *Run) Rereader(fs *pflag.FlagSet, lookup Lookup) Reread {
	line := given(fs)
	return func(ctx context.Context) (Reading, error) {
		now := Run{Compile: s.Compile}
		flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
		now.Flags(flags)
		for name, values := range line {
			if f := flags.Lookup(name); f != nil {
				_ = setAll(f.Value, values) // what one flag has taken another takes
				f.Changed = true
			}
		}
		now.seed = s.seed // flows keep their place in whatever is drawn from it
		cfg, err := now.LoadContext(ctx, flags, lookup)
		if err != nil {
			return Reading{}, err
		}
		return Reading{cfg.Plan, cfg.Dataplane.DropUnmatched, now.waiting(flags, fs)}, nil
	}
}

// waiting names the settings that differ from those that run.
func (s *Run) waiting(now, running *pflag.FlagSet) (names []string) {
	now.VisitAll(func(f *pflag.Flag) {
		r := running.Lookup(f.Name)
		if r == nil || reloadable[f.Name] || perCommand[f.Name] || r.Value.String() == f.Value.String() {
			return
		}
		place := s.config
		for _, k := range s.keys {
			if k.Name == f.Name {
				place = fmt.Sprintf("%s:%d:%d", k.Place.File, k.Place.Line, k.Place.Column)
			}
		}
		names = append(names, fmt.Sprintf("%s: found %s %s, %s is running; it can't change at runtime and takes effect at the next start", place, f.Name, f.Value, r.Value))
	})
	return names
}
