package settings

import (
	"testing"

	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Rules that are left out are told by file, once, with their number and the place of the first.
func TestLeftOutRulesAreCountedByFile(t *testing.T) {
	w := func(file string, line int, what string) nf.Problem {
		return nf.Problem{File: file, Line: line, Column: 1, Message: what}
	}
	got := LeftOutOf(nf.Problems{w("a.rules", 3, "rule sid 1 is left out: lua"), w("a.rules", 3, "rule sid 1 is left out: lua"), w("b.rules", 1, "rule sid 2 is left out: lua"),
		w("a.rules", 9, "rule sid 3 is left out: lua"), w("a.rules", 10, "is odd")})
	if len(got) != 2 || got[0].File != "a.rules" || got[0].Rules != 2 || got[0].First.Line != 3 || got[1].Rules != 1 {
		t.Errorf("%+v", got)
	}
}
