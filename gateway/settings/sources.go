package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/spf13/pflag"
)

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "GRANULE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Lookup finds an environment variable; os.LookupEnv but in tests.
type Lookup func(name string) (value string, found bool)

// resolve gives flags that were not on the command line their value from the environment or the file. Keys that are no
// setting are errors with their place: nf.Problems; a bad variable is an error that names it.
func resolve(flags *pflag.FlagSet, keys []chain.Key, lookupEnv Lookup) error {
	var errs []error
	var problems nf.Problems
	var set []*pflag.Flag
	for _, k := range keys {
		f := flags.Lookup(k.Name)
		switch {
		case f == nil || perCommand[k.Name]:
			var names []string
			flags.VisitAll(func(f *pflag.Flag) {
				if !perCommand[f.Name] {
					names = append(names, f.Name)
				}
			})
			problems = append(problems, k.Place.Problem("unknown key %q; expected chains or a setting%s; `granule run --help` lists them", k.Name, didYouMean(k.Name, names)))
		case f.Changed || hasEnv(k.Name, lookupEnv):
		case k.List && f.Value.Type() != "stringSlice":
			problems = append(problems, k.Place.Problem("%s: found a list, expected one value: %s", k.Name, f.Usage))
		case k.List && len(k.Values) == 0:
			_ = f.Value.(pflag.SliceValue).Replace(nil) // an empty list is not the default
			set = append(set, f)
		default:
			for i, v := range k.Values {
				if err := f.Value.Set(v); err != nil {
					problems = append(problems, k.Places[i].Problem("%s: found %q, expected %s: %v", k.Name, v, f.Value.Type(), err))
				}
				set = append(set, f)
			}
		}
	}
	flags.VisitAll(func(f *pflag.Flag) {
		v, ok := lookupEnv(envName(f.Name))
		if !ok || f.Changed || perCommand[f.Name] {
			return
		}
		if err := f.Value.Set(v); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: found %q, expected %s: %w", envName(f.Name), v, f.Value.Type(), err))
		}
		set = append(set, f)
	})
	for _, f := range set {
		f.Changed = true // for those who ask whether somebody chose the value
	}
	if len(problems) > 0 {
		errs = append(errs, problems)
	}
	return errors.Join(errs...)
}

// perCommand are flags that say what this call is about, not how the gateway is set.
var perCommand = map[string]bool{"config": true, "help": true}

func hasEnv(flag string, lookupEnv Lookup) bool {
	_, ok := lookupEnv(envName(flag))
	return ok
}

// didYouMean names the candidate nearest to word, if one is near.
func didYouMean(word string, candidates []string) string {
	if n := nf.Nearest(word, candidates); n != "" {
		return fmt.Sprintf(" (did you mean %s?)", n)
	}
	return ""
}
