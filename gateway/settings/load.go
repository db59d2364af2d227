package settings

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/spf13/pflag"
)

// Load resolves every setting, compiles the configuration and checks both; nothing outside is touched. fs are the flags of Flags, parsed. The error
// joins all that is wrong: that of reading the file, nf.Problem or nf.Problems where something stands in a file, and for settings of a flag or the
// environment an error that begins with which.
func (s *Run) Load(fs *pflag.FlagSet, lookup Lookup) (Gateway, error) {
	return s.LoadContext(context.Background(), fs, lookup)
}

// LoadContext is Load that ends early with ctx.
func (s *Run) LoadContext(ctx context.Context, fs *pflag.FlagSet, lookup Lookup) (_ Gateway, err error) {
	var cfg Gateway
	byFlag := map[string]bool{}
	fs.Visit(func(f *pflag.Flag) { byFlag[f.Name] = true })
	defer func() { err = s.placed(err, byFlag, lookup) }()
	first := s.seed == 0
	if first {
		s.seed = randomSeed()
	}
	s.dp.Seed = randomSeed()
	p, err := s.plan(ctx, fs, lookup)
	if err != nil {
		return cfg, err
	}
	_, offline := CapturePath(s.inside)
	state := s.state(offline)
	if first {
		if seeds, ok := state.readSeeds(); ok {
			s.seed, s.dp.Seed = seeds.Chains, seeds.SubFlows
			if err := p.reseed(s.seed); err != nil {
				return cfg, err
			}
		}
	}
	state.Seeds = Seeds{Version: 1, Chains: s.seed, SubFlows: s.dp.Seed}
	if offline { // a file is never late: give a slow machine time, unless somebody wants to see policies at work
		if !fs.Changed("max-delay") {
			s.dp.MaxDelay = time.Minute
		}
		if !fs.Changed("worker-timeout") {
			s.dp.WorkerTimeout = 30 * time.Second
		}
	}
	s.dp.MaxDeaths = s.redeliveries + 1 // each loses a worker; the first delivery is none
	s.dp.DropUnmatched = s.unmatched == "drop"
	s.dp.DropMalformed = s.malformed == "drop"
	if s.dp.Layer2, err = classify.ParseLayer2(s.layer2); err != nil {
		return cfg, err
	}
	s.dp.FailureClosed = s.onWorkerFailure == "closed"
	s.dp.OverloadClosed = s.onOverload == "closed"
	s.workers.Lifetime, s.workers.JoinTimeout = s.fleet.Lifetime, s.fleet.Join
	s.workers.Pools = p.StageNames()
	s.workers.Scale = p.Scale(s.workers.Seats, s.workers.Standby)
	s.fleet.TLS = s.relayTLS == "on"
	s.fleet.Whole = s.ship == ShipFull
	if err := s.cloud(); err != nil {
		return cfg, err
	}
	cfg = Gateway{
		Ports: Ports{Inside: s.inside, Outside: s.outside, Parked: s.slots},
		Plan:  p, Dataplane: s.dp, ReplicaMB: s.replicaMB, Workers: s.workers, Fleet: s.fleet, Admin: Admin{Address: s.admin, Hosts: lowered(s.adminHosts), TokenFile: s.adminToken}, Events: s.events, State: state,
	}
	if offline && !fs.Changed("admin") {
		cfg.Admin.Address = "" // over before anybody could look
	}
	cfg.Ports.XDP = s.wire()
	cfg.Ports.XDP.FailOpenPromised = fs.Changed("on-process-failure")
	if s.slots < 64 || s.slots > maxParked {
		return cfg, fmt.Errorf("slots: %d packets parked per queue and side; 64 to %d are possible", s.slots, maxParked)
	}
	if s.replicaMB < 0 || s.replicaMB > maxReplicaMB {
		return cfg, fmt.Errorf("replica-memory: %d MiB; 0 to %d are possible", s.replicaMB, maxReplicaMB)
	}
	if s.redeliveries < 1 || s.redeliveries > maxRedeliveries {
		return cfg, fmt.Errorf("max-redeliveries: %d; 1 to %d are possible: with 0, packets would be given up for having been beside the one that killed a worker", s.redeliveries, maxRedeliveries)
	}
	if err := cfg.Dataplane.Validate(); err != nil {
		return cfg, err
	}
	return cfg, cfg.Workers.Validate()
}

// plan reads the configuration file, resolves the settings, which it may hold, and has its chains compiled, which depend on some.
func (s *Run) plan(ctx context.Context, fs *pflag.FlagSet, lookup Lookup) (*Plan, error) {
	if s.config == "" {
		return nil, errors.New("no configuration: name one with --config")
	}
	text, err := chain.ReadConfig(s.config)
	if err != nil {
		return nil, err
	}
	compile := s.Compile
	if compile == nil {
		compile = compileHere(lookup)
	}
	c, err := compile(ctx, CompileRequest{Path: s.config, Text: text, Given: given(fs), Seed: s.seed})
	if err != nil {
		return nil, err
	}
	s.keys = c.Keys
	if err := errors.Join(resolve(fs, c.Keys, lookup), c.error()); err != nil {
		return nil, err
	}
	return c.Plan, c.Plan.choose()
}

// failure is what the setting on-worker-failure says for functions, too, where a chain says nothing.
func failure(policy string) nf.Failure {
	if policy == "open" {
		return nf.FailOpen
	}
	return nf.FailClosed
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1
}
