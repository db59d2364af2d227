package nf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	stdpath "path"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/state"
)

// Bundle is one stage of a chain with everything that its functions read: what the gateway checked, and what it hands
// to a worker. It is plain JSON, so the worker needs no file and no path of the gateway's.
type Bundle struct {
	Chain  string            `json:"chain"`
	Stage  int               `json:"stage"`  // from 0
	Seed   uint64            `json:"seed"`   // the chain's seed
	Flows  int               `json:"flows"`  // size of the stage's flow table; 0 is DefaultFlows
	Fixed  bool              `json:"fixed"`  // packets from outside meet the functions in the same order as those from inside
	Idle   int64             `json:"idle"`   // ns after which a silent flow is forgotten; 0 is DefaultIdle, or what a function asks for if that is longer
	Fails  Failure           `json:"fails"`  // what becomes of packets when a function panics
	Events EventSet          `json:"events"` // types of events that are raised; 0 is DefaultEvents
	NFs    []BundleNF        `json:"nfs"`    // in the order packets meet them
	Files  map[string][]byte `json:"files"`  // by the name that Setup.Open is asked for

	// Open, where set, is asked instead of Files. The gateway sets it to read from disk and to note what was read,
	// which becomes Files.
	Open func(name string) ([]byte, error) `json:"-"`
	// Glob, where set, is asked instead of the names of Files.
	Glob func(pattern string) ([]string, error) `json:"-"`
	// Context, where set, gives up building when it is done: Setup.Context.
	Context context.Context `json:"-"`
	// Warn is told what is odd but no error; may be nil.
	Warn func(Problem) `json:"-"`
}

// BundleNF is one function of a Bundle with its options.
type BundleNF struct {
	Name string `json:"name"`
	// Options is the YAML (or JSON) text of the mapping behind the name, from its first character, with the lines after
	// the first one indented as they stand in the file. Empty means no options.
	Options string `json:"options"`
	// Where Options begins; where there are none, where the name stands. Lines and columns count from 1.
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// What a Bundle takes where it says 0, and how many bytes of events a stage collects between two batches.
const (
	DefaultFlows = 1 << 16
	DefaultIdle  = int64(300e9)
	eventBytes   = 256 << 10
)

// Build makes the pipeline of a bundle. Errors that the user can mend are a Problem or Problems with their place, of
// all functions at once.
func Build(b Bundle) (*Pipeline, error) {
	if b.Flows < 0 || b.Flows > 1<<30 {
		return nil, fmt.Errorf("chain %s, stage %d: flow table of %d entries; expected 1 to %d", b.Chain, b.Stage, b.Flows, 1<<30)
	}
	if b.Flows == 0 {
		b.Flows = DefaultFlows
	}
	flows := state.NewTable(b.Flows+MaxBatch, max(b.Idle, 0), b.Seed)
	open := b.Open
	if open == nil {
		open = b.openFile
	}
	glob := b.Glob
	if glob == nil {
		glob = b.globFiles
	}
	var nfs []NF
	var all Problems
	for _, f := range b.NFs {
		n, err := f.build(Setup{Open: open, Glob: glob, Context: b.Context, Flows: flows, Seed: b.Seed, Warn: b.Warn})
		var one Problem
		var many Problems
		switch {
		case err == nil:
			nfs = append(nfs, n)
		case errors.As(err, &many):
			all = append(all, many...)
		case errors.As(err, &one):
			all = append(all, one)
		default: // a file that can't be read, say: the place is that of the function
			all = append(all, f.problem("%s: %v", f.Name, err))
		}
	}
	if len(all) > 0 {
		return nil, all
	}
	if b.Idle <= 0 {
		flows.KeepIdle(flowTimeout(nfs))
	}
	p := NewPipeline(nfs, flows, eventBytes)
	p.spare, p.way.fixed = MaxBatch, b.Fixed
	p.OnPanic = b.Fails.verdict()
	p.record(&b)
	for _, f := range b.NFs {
		p.labels = append(p.labels, Report{Chain: b.Chain, Stage: b.Stage, NF: f.Name})
	}
	return p, nil
}

// Reports returns what each function tells about itself, in their order. It is called between batches.
func (p *Pipeline) Reports() []Report {
	reports := make([]Report, len(p.nfs))
	for i, f := range p.nfs {
		if i < len(p.labels) {
			reports[i] = p.labels[i]
		}
		reports[i].Counters, reports[i].Rules = map[string]int64{}, []RuleCount{}
		f.Report(&reports[i])
		p.faults[i].report(&reports[i])
	}
	return reports
}

func (f BundleNF) build(s Setup) (NF, error) {
	t, ok := Lookup(f.Name)
	if !ok {
		return nil, f.problem("no function is named %q; expected one of %v", f.Name, Names())
	}
	o, err := parseOptions(f)
	if err != nil {
		return nil, err
	}
	s.Options = o
	return t.New(s)
}

func (f BundleNF) problem(format string, a ...any) Problem {
	return Problem{File: f.File, Line: f.Line, Column: f.Column, Message: fmt.Sprintf(format, a...)}
}

func (b *Bundle) globFiles(pattern string) (names []string, err error) {
	for name := range b.Files {
		ok, err := stdpath.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (b *Bundle) openFile(name string) ([]byte, error) {
	data, ok := b.Files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return data, nil
}
