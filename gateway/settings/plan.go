package settings

import (
	"fmt"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/coordinator/placer"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// Plan is a compiled configuration as the packet path and the workers need it.
type Plan struct {
	Chains    []dataplane.Chain
	Stages    []dataplane.Stage // of all chains, one after the other
	Choose    classify.Chooser  `json:"-"`
	LeftOut   []LeftOut         // rules that are not loaded
	Datagrams bool              // of classify.Rules
	Bundles   []Bundle          // one per stage
	Workers   []chain.Workers   // one per stage: between what it is scaled
	Functions [][]nf.BundleNF   // one per stage: names and places of its functions
	Places    []chain.Place     // one per chain
	Matches   []string          // one per chain, as written
	Path      string            // of the configuration
}

// Ship modes: what of a packet crosses to workers and back.
const (
	ShipAuto    = "auto"    // what each stage needs
	ShipHeaders = "headers" // headers; a stage that reads payloads is refused
	ShipFull    = "full"    // whole packets both ways: the reference that every other mode is compared with
)

// newPlan turns compiled chains into pools of workers. An error is nf.Problem or nf.Problems, with its place.
func newPlan(path string, compiled *chain.Plan, ship string) (*Plan, error) {
	p := &Plan{Datagrams: compiled.Datagrams(), Path: path, LeftOut: LeftOutOf(compiled.Warnings)}
	for ci := range compiled.Chains {
		c := &compiled.Chains[ci]
		p.Places, p.Matches = append(p.Places, c.Place), append(p.Matches, c.Match)
		p.Chains = append(p.Chains, dataplane.Chain{Name: c.Name, First: len(p.Stages), Stages: len(c.Stages), Affinity: dataplane.Affinity(c.Affinity), Fixed: c.Fixed})
		for si := range c.Stages {
			s := &c.Stages[si]
			whole := s.Needs.Reads == nf.Full || s.Needs.Writes == nf.Full
			if whole && ship == ShipHeaders {
				return nil, c.Place.Problem("stage %d of chain %s reads payloads, which --ship headers does not send; use --ship auto", si, c.Name)
			}
			p.Stages = append(p.Stages, dataplane.Stage{Chain: ci, Name: fmt.Sprintf("%s/%d", c.Name, si), Whole: whole || ship == ShipFull,
				Writes: dataplane.Extent(s.Needs.Writes), Injects: s.Needs.Injects, Functions: functionNames(&s.Bundle)})
			b, err := Pack(s.Bundle)
			if err != nil {
				return nil, fmt.Errorf("stage %d of chain %s: %w", si, c.Name, err)
			}
			if n := b.Payload(); n > chain.MaxPayload {
				return nil, tooLarge(&s.Bundle, n)
			}
			s.Pipeline = nil // it has been checked; what it holds is the workers' to hold
			p.Functions = append(p.Functions, s.Bundle.NFs)
			p.Bundles, p.Workers = append(p.Bundles, b), append(p.Workers, s.Workers)
		}
	}
	return p, nil
}

// functionNames are the names of a stage's functions, in order.
func functionNames(b *nf.Bundle) string {
	names := make([]string, len(b.NFs))
	for i := range b.NFs {
		names[i] = b.NFs[i].Name
	}
	return strings.Join(names, ", ")
}

// Layout is what the shards have to know of the plan.
func (p *Plan) Layout(dropUnmatched bool) *dataplane.Layout {
	return &dataplane.Layout{Stages: p.Stages, Choose: p.Choose, Datagrams: p.Datagrams, DropUnmatched: dropUnmatched}
}

// Scale says between what each stage is scaled that says so itself, by name; what it leaves out is that of the settings `workers` and `standby`.
func (p *Plan) Scale(workers, standby int) map[string]placer.Limits {
	scale := map[string]placer.Limits{}
	for i, w := range p.Workers {
		l := placer.Limits{Min: workers, Max: workers, Standby: standby}
		if w.Min == nil && w.Max == 0 && w.Standby == nil {
			continue
		}
		if w.Max != 0 {
			l.Min, l.Max = min(1, w.Max), w.Max
		}
		if w.Min != nil {
			l.Min = *w.Min
			l.Max = max(l.Max, l.Min)
		}
		if w.Standby != nil {
			l.Standby = *w.Standby
		}
		scale[p.Stages[i].Name] = l
	}
	return scale
}

// StageNames are the names of all stages, in order: CHAIN/NUMBER.
func (p *Plan) StageNames() []string {
	names := make([]string, len(p.Stages))
	for i := range names {
		names[i] = p.Stages[i].Name
	}
	return names
}
