package settings

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/chain/match"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// CompileRequest is a configuration to be compiled: the text of granule.yaml, and what the command line says of settings. The files that it names are
// read where it is compiled.
type CompileRequest struct {
	Path  string
	Text  []byte
	Given map[string][]string // flags on the command line, with their values
	Seed  uint64              // of the chains
}

// Compiled is what came of a CompileRequest. Plan is nil if Problems or Err say why.
type Compiled struct {
	Keys     []chain.Key // the settings that stand in the file
	Plan     *Plan       // without Choose: Plan.choose makes it
	Problems nf.Problems // with their places
	Err      string      // one without a place
}

// Compiler compiles a configuration, in this process (CompileRequest.Compile) or in one of its own (CompileProcess). The error is that of ctx, or says why
// compilation came to no end: it took too long, or too much memory.
type Compiler func(ctx context.Context, r CompileRequest) (*Compiled, error)

// compileHere is the Compiler that uses this process.
func compileHere(lookup Lookup) Compiler {
	return func(_ context.Context, r CompileRequest) (*Compiled, error) { return r.Compile(lookup, nil), nil }
}

// CompileLimits bound a compilation: settings like others, but that they are obeyed by whoever compiles.
type CompileLimits struct {
	MemoryMiB int
	Timeout   time.Duration
}

// Compile parses the configuration and builds every chain with all files that it names, in this process. bounded, if there is one, is called with the
// limits that the configuration sets as soon as they are known.
func (r CompileRequest) Compile(lookup Lookup, bounded func(CompileLimits)) *Compiled {
	out := &Compiled{}
	cfg, err := chain.Parse(r.Path, r.Text)
	out.Keys = cfg.Keys
	var s Run
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.Flags(fs)
	for name, values := range r.Given {
		if f := fs.Lookup(name); f != nil {
			_ = setAll(f.Value, values) // what the command line took is taken here
			f.Changed = true
		}
	}
	_ = resolve(fs, cfg.Keys, lookup) // what is wrong with settings is for whoever asked to say, who knows more of them
	if err != nil && len(cfg.Chains) == 0 {
		out.note(err)
		return out
	}
	if bounded != nil {
		bounded(s.limits)
	}
	flows := 0 // the default, unless somebody chose a number
	if fs.Changed("flows") {
		flows = s.dp.Flows
	}
	plan, problems := cfg.Compile(chain.Options{Seed: r.Seed, Flows: flows, Fails: failure(s.onWorkerFailure), NoEvents: s.events == ""})
	if err = errors.Join(err, problems); err == nil {
		out.Plan, err = newPlan(r.Path, plan, s.ship)
	}
	if err != nil {
		out.Plan = nil
		out.note(err)
	}
	return out
}

func (c *Compiled) note(err error) {
	for _, e := range leaves(err) {
		var many nf.Problems
		var one nf.Problem
		switch {
		case errors.As(e, &many):
			c.Problems = append(c.Problems, many...)
		case errors.As(e, &one):
			c.Problems = append(c.Problems, one)
		default:
			c.Err = e.Error()
		}
	}
}

// error is what is wrong with the configuration, nil if nothing is.
func (c *Compiled) error() error {
	var errs []error
	if len(c.Problems) > 0 {
		errs = append(errs, c.Problems)
	}
	if c.Err != "" {
		errs = append(errs, errors.New(c.Err))
	}
	return errors.Join(errs...)
}

// choose makes Choose of Matches, which have been compiled once already.
func (p *Plan) choose() error {
	filters := make(chain.Filters, len(p.Matches))
	for i, m := range p.Matches {
		if m == "" {
			continue
		}
		f, err := match.Compile(m)
		if err != nil {
			return fmt.Errorf("chain %s: %w", p.Chains[i].Name, err)
		}
		filters[i] = f
	}
	p.Choose = filters.Choose
	return nil
}

func setAll(v pflag.Value, values []string) error {
	if list, ok := v.(pflag.SliceValue); ok {
		return list.Replace(values)
	}
	var errs []error
	for _, s := range values {
		errs = append(errs, v.Set(s))
	}
	return errors.Join(errs...)
}

// given returns the flags that were set so far: those of the command line, while file and environment have not been asked.
func given(fs *pflag.FlagSet) map[string][]string {
	m := map[string][]string{}
	fs.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			m[f.Name] = append([]string(nil), list.GetSlice()...)
		} else {
			m[f.Name] = []string{f.Value.String()}
		}
	})
	return m
}
