package chain

import (
	"fmt"

	"github.com/granule-nf/granule/gateway/chain/match"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Config is a configuration file, read but not yet compiled.
type Config struct {
	Path   string  // as it was named; files named inside are relative to its folder
	Chains []Chain // in the order in which flows try them
	Keys   []Key   // top-level keys other than chains: settings, to be judged by whoever knows them
}

// Chain is one entry of `chains`.
type Chain struct {
	Name   string
	Match  string        // as written; empty takes every flow
	Filter *match.Filter // nil where Match is empty
	Stages []Stage
	Fails  *nf.Failure // nil: not said
	Fixed  bool        // order: fixed
	Events nf.EventSet // 0: not said
	Place  Place       // of the name, or of the entry where the name is missing
}

// Stage is one entry of `stages`. A list of functions is short for a mapping that has nothing but them.
type Stage struct {
	Functions []nf.BundleNF
	Workers   Workers
	Memory    int    // MB of each worker; 0: not said
	Fallback  string // where workers start when the first place has no room; "": not said
	Place     Place
}

// Workers are the bounds between which a stage is scaled.
type Workers struct {
	Min     *int // nil: not said
	Max     int  // 0: not said
	Standby *int // that have joined and wait, beside those; nil: not said
}

// Key is a top-level key with a plain value or a list of plain values.
type Key struct {
	Name   string
	Place  Place // of the key
	Values []string
	Places []Place // one a value
	List   bool    // it was written as a list
}

// Place is a spot in the configuration file, line and column from 1.
type Place struct {
	File         string
	Line, Column int
}

// Problem makes an nf.Problem at p.
func (p Place) Problem(format string, a ...any) nf.Problem {
	return nf.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: fmt.Sprintf(format, a...)}
}

// Load reads and parses the file at path. The error is nf.Problems, or that of reading the file.
func Load(path string) (*Config, error) {
	text, err := ReadConfig(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse reads text, the content of the file named path. Where the error is nf.Problems the Config still holds what could
// be read, so that its other keys can be judged in the same run.
func Parse(path string, text []byte) (*Config, error) {
	r := newReader(path, text)
	c := &Config{Path: path}
	if root := r.parse(); root != nil {
		r.config(root, c)
	}
	if len(r.problems) > 0 {
		return c, r.problems
	}
	return c, nil
}
