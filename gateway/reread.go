package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

// reading is the configuration as it stands in its files at one moment.
type reading struct {
	plan          *plan
	dropUnmatched bool
	waiting       []string // settings that say otherwise than what runs, and can't change while it does
}

// reread reads the configuration again, and checks it as the start did.
type reread func() (reading, error)

// reloads are settings that a reload changes; chains and the files they name are no settings.
var reloads = map[string]bool{"unmatched": true}

// rereader is called before load, when fs holds the command line alone: that stays, the file may change.
func (s *runSettings) rereader(fs *pflag.FlagSet, lookup func(string) (string, bool)) reread {
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
	return func() (reading, error) {
		now := runSettings{}
		flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
		now.flags(flags)
		given(flags)
		now.seed = s.seed // flows keep their place in whatever is drawn from it
		cfg, err := now.load(flags, lookup)
		if err != nil {
			return reading{}, err
		}
		return reading{cfg.Plan, cfg.Dataplane.DropUnmatched, now.waiting(flags, fs)}, nil
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
func (s *runSettings) waiting(now, running *pflag.FlagSet) (names []string) {
	now.VisitAll(func(f *pflag.Flag) {
		r := running.Lookup(f.Name)
		if r == nil || reloads[f.Name] || perCommand[f.Name] || r.Value.String() == f.Value.String() {
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
