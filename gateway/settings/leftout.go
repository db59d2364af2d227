package settings

import (
	"strings"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// LeftOut is a file of which rules are not loaded, because they say what is not supported.
type LeftOut struct {
	File  string
	Rules int
	First nf.Problem
}

// LeftOutOf finds the rules that are left out among the warnings of a compilation, by file, in the order of the files; stages that share a file say the same
// of it.
func LeftOutOf(warnings nf.Problems) (all []LeftOut) {
	seen := map[string]bool{}
	at := map[string]int{}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "is left out") || seen[w.Error()] {
			continue
		}
		seen[w.Error()] = true
		i, ok := at[w.File]
		if !ok {
			i = len(all)
			at[w.File] = i
			all = append(all, LeftOut{File: w.File, First: w})
		}
		all[i].Rules++
	}
	return all
}
