package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
)

// printError writes each of the errors that err is made of on a line that can stand alone.
func printError(w io.Writer, err error) {
	for _, p := range problemsIn(err) {
		fmt.Fprintln(w, "granule:", p)
	}
}

// placed says of errors about a setting, which begin with its name, where its value came from.
func (s *runSettings) placed(err error, byFlag map[string]bool, lookup func(string) (string, bool)) error {
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
