package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// State is the folder in which the workers' flow state outlives the process.
type State struct {
	Dir    string // "" for none
	Chosen bool   // somebody named it: without it, there is no start
	Seeds  Seeds
}

// Seeds are what state depends on besides the configuration: the next process must have the same.
type Seeds struct {
	Version  int    `json:"version"` // of this file, 1
	Chains   uint64 `json:"chains"`
	SubFlows uint64 `json:"sub_flows"`
}

// runDir is where instances keep their state if nothing else is said: memory, gone with the machine's next start, as the connections are.
const runDir = "/run/granule"

// noState is what the setting state-dir says for none.
const noState = "none"

// state resolves the setting state-dir. Capture files leave no state unless somebody names a folder.
func (s *Run) state(offline bool) State {
	switch {
	case s.stateDir == noState || s.replicaMB == 0 || s.stateDir == "" && offline:
		return State{}
	case s.stateDir != "":
		return State{Dir: s.stateDir, Chosen: true}
	}
	return State{Dir: filepath.Join(runDir, s.instance)}
}

// seedsFile is in State.Dir. It is a secret: who knows the seeds can aim flows at one bucket.
const seedsFile = "seeds.json"

// readSeeds returns those of an earlier process, if there were one and it left any.
func (s *State) readSeeds() (Seeds, bool) {
	var seeds Seeds
	text, err := os.ReadFile(filepath.Join(s.Dir, seedsFile))
	if s.Dir == "" || err != nil || json.Unmarshal(text, &seeds) != nil || seeds.Version != 1 || seeds.Chains == 0 || seeds.SubFlows == 0 {
		return seeds, false
	}
	return seeds, true
}

// Write makes the folder and leaves the seeds in it for the next process. The error is that of the file system.
func (s *State) Write() error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(s.Seeds)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Dir, seedsFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// reseed gives the plan's chains the seeds that they are to be made with.
func (p *Plan) reseed(seed uint64) error {
	for i := range p.Bundles {
		var b nf.Bundle
		if err := json.Unmarshal(p.Bundles[i].Stage, &b); err != nil {
			return fmt.Errorf("stage %s: %w", p.Stages[i].Name, err)
		}
		b.Seed = chain.SeedOf(seed, b.Chain)
		var err error
		if p.Bundles[i].Stage, err = json.Marshal(b); err != nil {
			return fmt.Errorf("stage %s: %w", p.Stages[i].Name, err)
		}
	}
	return nil
}
