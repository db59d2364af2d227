package nf

import (
	"context"
	"fmt"
	"sort"

	"github.com/granule-nf/granule/lambdaworker/state"
)

// Setup is what New of a function works from: its options as they stand in granule.yaml, and the files they name.
type Setup struct {
	Options Options                                // the mapping behind the function's name
	Open    func(name string) ([]byte, error)      // reads a file named in the options or in another file, relative to the configuration
	Glob    func(pattern string) ([]string, error) // names, sorted, that Open takes and that match a pattern of path.Match
	Context context.Context                        // making the function is given up when it is done; nil: never
	Flows   *state.Table                           // the stage's flow table; per-flow slices have Flows.Cap() elements
	Seed    uint64                                 // the chain's seed
	Warn    func(Problem)                          // told what is odd but no error; may be nil
}

// Options decodes a function's options.
type Options interface {
	// Decode fills v, a pointer to a struct with yaml tags. Unknown keys, wrong types and missing values are errors with
	// file, line and column.
	Decode(v any) error
	// Pos returns where the value of key stands in granule.yaml, for errors about its meaning.
	Pos(key string) (file string, line, column int)
}

// Problem is something wrong in a file that a person wrote.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 where unknown
	Message      string // what was found, what was expected, what to do
	Fix          string // the word that was probably meant; empty if none is near
}

// Error returns "file:line:column: message".
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	if p.Fix != "" {
		s += fmt.Sprintf("; did you mean %q?", p.Fix)
	}
	return s
}

// Problems are all that New found wrong, in the order of the files.
type Problems []Problem

// Error returns one problem a line.
func (ps Problems) Error() string {
	s := ""
	for i, p := range ps {
		if i > 0 {
			s += "\n"
		}
		s += p.Error()
	}
	return s
}

// Type is a kind of function that a configuration can name.
type Type struct {
	Name string
	Doc  string // one sentence
	// New makes an instance. Errors that the user can mend are a Problem or Problems.
	New func(Setup) (NF, error)
}

var types = map[string]Type{}

// Register makes t known. It is called from init of the function's package; two of one name are a bug and panic.
func Register(t Type) {
	if _, dup := types[t.Name]; dup {
		panic("nf: two functions are named " + t.Name)
	}
	types[t.Name] = t
}

// Lookup returns the function type of that name.
func Lookup(name string) (Type, bool) {
	t, ok := types[name]
	return t, ok
}

// Names returns the names of all functions, sorted.
func Names() []string {
	var names []string
	for n := range types {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
