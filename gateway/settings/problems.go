package settings

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// PrintProblems writes each of the errors that err is made of on a line that can stand alone.
func PrintProblems(w io.Writer, err error) {
	for _, p := range ProblemsIn(err) {
		fmt.Fprintln(w, "granule:", p)
	}
}

// Problem is something that is wrong with a setting, a chain or a file, where it stands; without a file it has no place.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// String returns "file:line:column: message"; the message alone where the problem has no place.
func (p Problem) String() string {
	if p.File == "" {
		return p.Message
	}
	return nf.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message}.Error()
}

func placesOf(ps nf.Problems) []Problem {
	places := []Problem{}
	for _, p := range ps {
		places = append(places, Problem{p.File, p.Line, p.Column, p.Message})
	}
	return places
}

// ProblemsIn takes a tree of errors apart: the problems with a place that are in it, and each error without one as itself.
func ProblemsIn(err error) []Problem {
	var all []Problem
	for _, e := range leaves(err) {
		var many nf.Problems
		var one nf.Problem
		switch {
		case errors.As(e, &many):
			all = append(all, placesOf(many)...)
		case errors.As(e, &one):
			all = append(all, placesOf(nf.Problems{one})...)
		default:
			all = append(all, Problem{Message: e.Error()})
		}
	}
	return all
}

// placed says of errors about a setting, which begin with its name, where its value came from.
func (s *Run) placed(err error, byFlag map[string]bool, lookup Lookup) error {
	var all []error
	for _, e := range leaves(err) {
		name, _, _ := strings.Cut(e.Error(), ":")
		_, env := lookup(envName(name))
		at := slices.IndexFunc(s.keys, func(k chain.Key) bool { return k.Name == name })
		switch {
		case byFlag[name]:
			e = fmt.Errorf("flag --%w", e)
		case env:
			e = fmt.Errorf("environment variable %s: %w", envName(name), e)
		case at >= 0:
			e = s.keys[at].Place.Problem("%v", e)
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// leaves returns the errors that err was joined of.
func leaves(err error) (all []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, leaves(e)...)
		}
		return all
	}
	if err != nil {
		all = append(all, err)
	}
	return all
}
