package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// plan is a compiled configuration as the packet path and the workers need it.
type plan struct {
	chains   []dataplane.Chain
	stages   []dataplane.Stage
	classify classify.Chooser
	bundles  []bundle        // one a stage
	nfs      [][]nf.BundleNF // one a stage: names and places of its functions
	places   []chain.Place
	matches  []string // one a chain, as written
	path     string   // of the configuration
}

// bundle is what a worker of a stage is handed.
type bundle struct {
	stage json.RawMessage
	files []byte
}

// Ship modes: what of a packet crosses to workers and back.
const (
	shipAuto    = "auto"    // what each stage needs
	shipHeaders = "headers" // headers; a stage that reads payloads is refused
	shipFull    = "full"    // whole packets both ways: the reference that every other mode is compared with
)

// newPlan turns compiled chains into pools of workers.
func newPlan(path string, compiled *chain.Plan, ship string) (*plan, error) {
	p := &plan{classify: compiled.Choose, path: path}
	for ci := range compiled.Chains {
		c := &compiled.Chains[ci]
		p.places, p.matches = append(p.places, c.Place), append(p.matches, c.Match)
		p.chains = append(p.chains, dataplane.Chain{Name: c.Name, First: len(p.stages), Stages: len(c.Stages), Affinity: dataplane.Affinity(c.Affinity)})
		for si := range c.Stages {
			s := &c.Stages[si]
			whole := s.Needs.Reads == nf.Whole || s.Needs.Writes == nf.Whole
			if whole && ship == shipHeaders {
				return nil, c.Place.Problem("stage %d of chain %s reads payloads, which --ship headers does not send; use --ship auto", si, c.Name)
			}
			p.stages = append(p.stages, dataplane.Stage{Chain: ci, Name: fmt.Sprintf("%s/%d", c.Name, si), Whole: whole || ship == shipFull, Functions: functions(&s.Bundle)})
			b, err := pack(s.Bundle)
			if err != nil {
				return nil, fmt.Errorf("stage %d of chain %s: %w", si, c.Name, err)
			}
			if n := b.payload(); n > chain.MaxPayload {
				return nil, tooLarge(&s.Bundle, n)
			}
			s.Pipeline = nil // it has been checked; what it holds is the workers' to hold
			p.nfs = append(p.nfs, s.Bundle.NFs)
			p.bundles = append(p.bundles, b)
		}
	}
	return p, nil
}

// functions are the names of a stage's functions, in order.
func functions(b *nf.Bundle) string {
	names := make([]string, len(b.NFs))
	for i := range b.NFs {
		names[i] = b.NFs[i].Name
	}
	return strings.Join(names, ", ")
}

// pack makes of a stage what an invocation carries: the files, packed, beside the rest.
func pack(b nf.Bundle) (bundle, error) {
	files, err := wire.PackFiles(b.Files)
	if err != nil {
		return bundle{}, err
	}
	b.Files = nil
	stage, err := json.Marshal(b)
	return bundle{stage, files}, err
}

// payload is how many bytes of an invocation the bundle takes: bytes are base64 in JSON.
func (b *bundle) payload() int { return len(b.stage) + (len(b.files)+2)/3*4 }

// tooLarge says that the stage of b hands more to a worker than Lambda takes.
func tooLarge(b *nf.Bundle, payload int) error {
	f := b.NFs[0]
	return nf.Problems{{File: f.File, Line: f.Line, Column: f.Column, Message: fmt.Sprintf(
		"stage %d of chain %s hands %d bytes of configuration to each worker; expected at most %d, which is what Lambda takes: name fewer or smaller files, or cut the stage in two",
		b.Stage, b.Chain, payload, chain.MaxPayload)}}
}

// layout is what the shards have to know of the plan.
func (p *plan) layout(dropUnmatched bool) *dataplane.Layout {
	return &dataplane.Layout{Stages: p.stages, Choose: p.classify, DropUnmatched: dropUnmatched}
}

func (p *plan) stageNames() []string {
	names := make([]string, len(p.stages))
	for i := range names {
		names[i] = p.stages[i].Name
	}
	return names
}
