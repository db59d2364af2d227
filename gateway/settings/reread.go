package settings

import (
	"fmt"

	"github.com/spf13/pflag"
)

// Reading is the configuration as it stands in its files at one moment.
type Reading struct {
	Plan          *Plan
	DropUnmatched bool
	Waiting       []string // settings that say otherwise than what runs, and can't change while it does
}

// Reread reads the configuration again, and checks it as the start did, with the errors of Run.Load.
type Reread func() (Reading, error)

// reloadable are settings that a reload changes; chains and the files they name are no settings.
var reloadable = map[string]bool{"unmatched": true}

// Rereader is called before Load, when fs holds the command line alone: that stays, the file may change.
func (s *Run) Rereader(fs *pflag.FlagSet, lookup Lookup) Reread {
	given := func(*pflag.FlagSet) {}
	fs.Visit(func(f *pflag.Flag) {
		before, value := given, copyOf(f.Value)
		given = func(to *pflag.FlagSet) {
			before(to)
			if f := to.Lookup(f.Name); f != nil {
				value(f.Value)
				f.Changed = true
			}
		}
	})
	return func() (Reading, error) {
		now := Run{}
		flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
		now.Flags(flags)
		given(flags)
		now.seed = s.seed // flows keep their place in whatever is drawn from it
		cfg, err := now.Load(flags, lookup)
		if err != nil {
			return Reading{}, err
		}
		return Reading{cfg.Plan, cfg.Dataplane.DropUnmatched, now.waiting(flags, fs)}, nil
	}
}

// copyOf returns what gives another flag of the kind the value that v has now.
func copyOf(v pflag.Value) func(pflag.Value) {
	if list, ok := v.(pflag.SliceValue); ok {
		words := append([]string(nil), list.GetSlice()...)
		return func(to pflag.Value) { _ = to.(pflag.SliceValue).Replace(words) } // what one flag has taken another takes
	}
	word := v.String()
	return func(to pflag.Value) { _ = to.Set(word) }
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
