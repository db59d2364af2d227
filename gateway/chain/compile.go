package chain

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sort"

	"github.com/granule-nf/granule/gateway/chain/match"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Options are what stages are built with, beside what the file says.
type Options struct {
	Seed  uint64 // keys the flow tables' hashes and whatever functions draw from chance; each chain's own is made of it
	Flows int    // flows a stage keeps; 0 is nf.DefaultFlows
	Idle  int64  // ns after which a silent flow is forgotten; 0 is nf.DefaultIdle

	Fails nf.Failure // of chains that don't say

	// NoEvents: nobody keeps events, so drops, flows and statistics are not raised. Alerts and anomalies are, to be counted.
	NoEvents bool

	// Measure has the memory of every stage measured, which takes two garbage collections a stage.
	Measure bool
	// Context, where set, gives up compiling when it is done.
	Context context.Context
	// ReadFile reads a file that the configuration or another file names; chain.ReadFile if nil.
	ReadFile func(path string) ([]byte, error)
}

// Plan is a configuration that has been built: what runs, and what ships.
type Plan struct {
	Chains   []Compiled
	Warnings nf.Problems // what is odd but no error, in the order of the chains
}

// Compiled is one chain of a Plan.
type Compiled struct {
	Name     string
	Match    string
	Filter   *match.Filter // nil: it takes every flow
	Place    Place
	Affinity nf.Affinity
	Fixed    bool // packets from outside meet the functions in the same order as those from inside, not in reverse
	Stages   []CompiledStage
}

// CompiledStage is one stage, built.
type CompiledStage struct {
	Bundle   nf.Bundle    // with every file that was read: what a worker of the stage is handed
	Pipeline *nf.Pipeline // this process's own instance of it
	Needs    nf.Needs
	Workers  Workers
	Memory   int64       // bytes that the instance holds before it saw a packet; 0 unless measured
	Warnings nf.Problems // of the stage's functions
}

// Compile builds every stage of every chain. The error is nf.Problems: all of them, in the order in which they stand.
func (c *Config) Compile(o Options) (*Plan, error) {
	p := &Plan{}
	var all nf.Problems
	for i, ch := range c.Chains {
		compiled, problems := c.chain(ch, o)
		all = append(all, problems...)
		p.Chains = append(p.Chains, compiled)
		for j := range i {
			if c.Chains[j].Filter == nil {
				p.Warnings = append(p.Warnings, ch.Place.Problem("chain %s is never taken: chain %s before it takes every flow; give that one a match, or change their order", ch.Name, c.Chains[j].Name))
				break
			}
		}
	}
	if len(c.Chains) > MaxChains {
		all = append(all, c.Chains[MaxChains].Place.Problem("found %d chains; expected at most %d", len(c.Chains), MaxChains))
	}
	for _, ch := range p.Chains {
		for _, s := range ch.Stages {
			p.Warnings = append(p.Warnings, s.Warnings...)
		}
	}
	if len(all) > 0 {
		return p, all
	}
	return p, nil
}

// MaxChains is how many chains a gateway tells apart: a flow notes its chain in a byte.
const MaxChains = 255

func (c *Config) chain(ch Chain, o Options) (Compiled, nf.Problems) {
	out := Compiled{Name: ch.Name, Match: ch.Match, Filter: ch.Filter, Place: ch.Place, Fixed: ch.Fixed}
	var all nf.Problems
	for i := range ch.Stages {
		s, problems := c.stage(ch, i, o)
		all = append(all, problems...)
		out.Stages = append(out.Stages, s)
	}
	if len(all) > 0 {
		return out, all
	}
	if err := out.checkOrder(); err != nil {
		all = append(all, problemsOf(err, ch.Place)...)
	}
	all = append(all, out.affinities()...)
	return out, all
}

func (c *Config) stage(ch Chain, i int, o Options) (CompiledStage, nf.Problems) {
	functions := ch.Stages[i].Functions
	s := CompiledStage{Bundle: nf.Bundle{Chain: ch.Name, Stage: i, Seed: SeedOf(o.Seed, ch.Name), Flows: o.Flows, Idle: o.Idle, NFs: functions, Files: map[string][]byte{}}}
	s.Bundle.Fails, s.Workers = o.Fails, ch.Stages[i].Workers
	if ch.Fails != nil {
		s.Bundle.Fails = *ch.Fails
	}
	s.Bundle.Fixed, s.Bundle.Events = ch.Fixed, ch.Events
	if o.NoEvents {
		s.Bundle.Events = ch.Events.Without(nf.EventDrop, nf.EventFlow, nf.EventStats)
	}
	b := s.Bundle
	unread := map[string]bool{}
	b.Open = c.opener(o, s.Bundle.Files, unread)
	b.Glob, b.Context = c.glob, o.Context
	b.Warn = func(p nf.Problem) { s.Warnings = append(s.Warnings, p) }
	var before int64
	if o.Measure {
		before = heap()
	}
	pipeline, err := nf.Build(b)
	if err != nil {
		problems := problemsOf(err, ch.Place)
		relocate(problems, functions, unread)
		return s, problems
	}
	if o.Measure {
		s.Memory = max(heap()-before, 0)
	}
	s.Pipeline, s.Needs = pipeline, pipeline.Needs()
	return s, nil
}

// opener reads files relative to the configuration's folder, keeps what it read, and notes what it could not.
func (c *Config) opener(o Options, files map[string][]byte, unread map[string]bool) func(string) ([]byte, error) {
	read := o.ReadFile
	if read == nil {
		read = ReadFile
	}
	return func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil // a file named twice is the same file for both
		}
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(c.Path), path)
		}
		data, err := read(path)
		if err != nil {
			unread[name] = true
			return nil, err
		}
		files[name] = data
		return data, nil
	}
}

// affinities finds functions of one chain that want a flow's packets at different workers: a sub-flow has one.
func (c *Compiled) affinities() nf.Problems {
	var owner *nf.BundleNF
	for i, s := range c.Stages {
		if s.Needs.Affinity == nf.ByFlow {
			continue
		}
		for j := range s.Bundle.NFs {
			f := &s.Bundle.NFs[j]
			want := c.Stages[i].Pipeline.NeedsOf(j)
			switch {
			case want.Affinity == nf.ByFlow:
			case owner == nil:
				owner, c.Affinity = f, want.Affinity
			case want.Affinity != c.Affinity:
				return nf.Problems{{File: f.File, Line: f.Line, Column: f.Column, Message: fmt.Sprintf(
					"%s wants %s at one worker, but %s before it wants %s; expected one of the two in a chain: take one out, or give each a chain of its own",
					f.Name, AffinityWords(want.Affinity), owner.Name, AffinityWords(c.Affinity))}}
			}
		}
	}
	return nil
}

// SeedOf gives each chain a seed of its own, made of the gateway's by FNV-1a over the chain's name.
func SeedOf(seed uint64, chain string) uint64 {
	h := seed ^ 0xcbf29ce484222325
	for i := range len(chain) {
		h = (h ^ uint64(chain[i])) * 0x100000001b3
	}
	return h
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func problemsOf(err error, otherwise Place) nf.Problems {
	var many nf.Problems
	var one nf.Problem
	switch {
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return nf.Problems{one}
	}
	return nf.Problems{otherwise.Problem("%v", err)}
}

// FileNames returns the names of the files that the stage's functions read, sorted.
func (s *CompiledStage) FileNames() []string {
	var names []string
	for n := range s.Bundle.Files {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
