package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/wire"
)

// plan is a checked configuration as the packet path and the workers need it.
type plan struct {
	chains   []dataplane.Chain
	stages   []dataplane.Stage
	classify dataplane.Classifier
	bundles  []bundle // one a stage
}

// bundle is what a worker of a stage is handed.
type bundle struct {
	stage json.RawMessage
	files []byte
}

func makePlan(cfg *chain.Config, seed uint64) (*plan, error) {
	p := &plan{}
	for ci, c := range cfg.Chains {
		dc := dataplane.Chain{Name: c.Name, First: len(p.stages), Stages: len(c.Stages)}
		var needs nf.Needs
		for si, nfs := range c.Stages {
			files := map[string][]byte{}
			b := nf.Bundle{Chain: c.Name, Stage: si, Seed: seed + uint64(ci), NFs: nfs, Open: func(name string) ([]byte, error) {
				data, err := os.ReadFile(filepath.Join(filepath.Dir(cfg.Path), name))
				files[name] = data
				return data, err
			}}
			pl, err := nf.Build(b)
			if err != nil {
				return nil, err
			}
			needs = needs.Merge(pl.Needs())
			p.stages = append(p.stages, dataplane.Stage{Chain: ci, Name: fmt.Sprintf("%s/%d", c.Name, si), Whole: pl.Needs().Reads == nf.Whole})
			b.Open = nil
			stage, err := json.Marshal(b)
			if err != nil {
				return nil, err
			}
			packed, err := wire.PackFiles(files)
			if err != nil {
				return nil, err
			}
			p.bundles = append(p.bundles, bundle{stage, packed})
		}
		dc.Affinity = dataplane.Affinity(needs.Affinity)
		p.chains = append(p.chains, dc)
	}
	p.classify = func(frame []byte, wire uint32) int {
		for i := range cfg.Chains {
			if f := cfg.Chains[i].Filter; f == nil || f.Match(frame, wire) {
				return i
			}
		}
		return -1
	}
	return p, nil
}

func (p *plan) stageNames() []string {
	names := make([]string, len(p.stages))
	for i := range names {
		names[i] = p.stages[i].Name
	}
	return names
}
