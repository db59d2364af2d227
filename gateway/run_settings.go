package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/locallambda"
	"github.com/granule-nf/granule/ingress/afxdp"
	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/spf13/pflag"
)

// runSettings are the settings of `granule run` as they are written; load turns them into what the parts take.
type runSettings struct {
	config                                              string
	inside, outside                                     string
	unmatched, malformed                                string
	onWorkerFailure, onProcessFailure, onOverload, ship string
	dp                                                  dataplane.Config
	workers                                             coordinator.Config
	fleet                                               fleetConfig
	slots, replicaMB                                    int
	relayTLS, xdpMode                                   string
	allowPort                                           []string
	jumbo, leaveRelay, zeroCopy                         bool
	instance, admin, events, lambdaAt                   string
	logLevel, logFormat                                 string
	seed                                                uint64      // of the chains; 0 until load
	keys                                                []chain.Key // of the configuration file, after load
}

// defaultAdmin is where the console listens, and where status and top look.
const defaultAdmin = "127.0.0.1:9478"

// maxParked is how many packets one side of a queue can park: 4 GiB of frames.
const maxParked = 1 << 20

func (s *runSettings) flags(fs *pflag.FlagSet) {
	s.dp, s.workers = dataplane.Defaults(), coordinator.Defaults()
	fs.StringVar(&s.config, "config", "", "configuration file: the chains, and any of these settings")
	fs.StringVar(&s.inside, "inside", "", "inside port: an interface, or pcap:FILE to read")
	fs.StringVar(&s.outside, "outside", "", "outside port: an interface, or pcap:FILE to write")

	choiceVar(fs, &s.unmatched, "unmatched", "pass", "flows that no chain wants", "pass", "drop")
	choiceVar(fs, &s.malformed, "malformed", "pass", "packets whose headers contradict each other: judged like others, or dropped", "pass", "drop")
	choiceVar(fs, &s.onWorkerFailure, "on-worker-failure", "closed", "packets that no worker judged within max-delay, and those on which a function failed: forwarded or dropped", "open", "closed")
	choiceVar(fs, &s.onOverload, "on-overload", "closed", "packets that found no room on their worker within max-delay: forwarded or dropped", "open", "closed")
	choiceVar(fs, &s.onProcessFailure, "on-process-failure", "open", "what the XDP program does when this process is dead or hung: relay or drop", "open", "closed")
	choiceVar(fs, &s.ship, "ship", shipAuto, "what of a packet is sent to workers", shipAuto, shipHeaders, shipFull)

	fs.DurationVar(&s.dp.MaxDelay, "max-delay", s.dp.MaxDelay, "longest time a packet is parked before policy settles it (capture files: 1m)")
	fs.DurationVar(&s.dp.WorkerTimeout, "worker-timeout", s.dp.WorkerTimeout, "a worker that leaves packets unanswered this long is replaced (capture files: 30s)")
	fs.IntVar(&s.dp.MaxDeaths, "max-deaths", s.dp.MaxDeaths, "a packet that so many workers were lost with is settled as poison")
	fs.DurationVar(&s.dp.FlushAfter, "flush-after", s.dp.FlushAfter, "longest time a packet waits for its batch to fill")
	fs.IntVar(&s.slots, "slots", 8192, "packets that can be parked, a queue and side, 4 KiB each")
	fs.IntVar(&s.dp.Flows, "flows", s.dp.Flows, "flows that the flow table holds, a queue, 112 bytes each")
	fs.IntVar(&s.replicaMB, "replica-memory", defaultReplicaMB, "MiB in all for what workers know of flows, from which a successor starts; 0 for none")
	fs.DurationVar(&s.dp.FlowIdle, "flow-idle", s.dp.FlowIdle, "after this long without a packet a flow is forgotten")
	fs.DurationVar(&s.dp.Spin, "spin", s.dp.Spin, "how long a shard asks for answers before it sleeps, where they tend to come so soon; 0: it sleeps at once")
	fs.IntVar(&s.dp.Burst, "burst", s.dp.Burst, "frames taken from a port in one go")

	fs.IntVar(&s.workers.Seats, "workers", s.workers.Seats, "workers that share a stage")
	fs.IntVar(&s.workers.Standby, "standby", s.workers.Standby, "workers a stage that have joined and wait for one to fail")
	fs.DurationVar(&s.fleet.Lifetime, "worker-lifetime", s.workers.Lifetime, "the platform's limit for an invocation; workers are replaced at 80 to 87 % of it")
	fs.DurationVar(&s.fleet.Join, "worker-join", s.workers.JoinTimeout, "a worker that has not joined by then is given up")
	fs.StringVar(&s.fleet.Bootstrap, "bootstrap", "", "the worker's artifact, which the embedded Lambda service runs (default: bootstrap beside this program)")
	fs.StringVar(&s.fleet.Function, "lambda-function", functionName, "name or ARN of the worker's function")
	fs.StringVar(&s.lambdaAt, "lambda", "local", "where workers run: local (the embedded service), aws, or the URL of another Lambda endpoint")
	fs.StringVar(&s.fleet.Lambda.Region, "lambda-region", "", "AWS region")
	fs.StringVar(&s.fleet.Lambda.Profile, "lambda-profile", "", "AWS profile")
	fs.IntVar(&s.fleet.MemoryMB, "worker-memory", locallambda.MemoryPerCPU, "memory of a local worker in MB, with its CPU share as on the platform")
	fs.Float64Var(&s.fleet.CPUs, "worker-cpus", -1, "CPU share of a local worker; 0: by its memory, as on the platform; -1: no limit")
	fs.DurationVar(&s.fleet.ColdStart, "worker-cold-start", 0, "time added to the start of a local worker")

	fs.StringVar(&s.fleet.Listen, "relay-listen", "127.0.0.1:0", "where workers dial in")
	fs.StringSliceVar(&s.fleet.Advertise, "relay-advertise", nil, "host:port as workers see it, to be tried in order (default: relay-listen)")
	choiceVar(fs, &s.relayTLS, "relay-tls", "on", "TLS 1.3 between gateway and workers; off on loopback only", "on", "off")

	choiceVar(fs, &s.xdpMode, "xdp-mode", "auto", "where the XDP program runs: in the driver, in the generic hook, or in the driver where it can", "auto", "native", "generic")
	fs.BoolVar(&s.zeroCopy, "zero-copy", false, "ask the driver for zero-copy sockets")
	fs.BoolVar(&s.jumbo, "jumbo", false, "take frames of more than one buffer: MTU above 3498")
	fs.BoolVar(&s.leaveRelay, "leave-relay", false, "at a planned stop, leave the XDP program relaying or dropping by on-process-failure")
	fs.StringSliceVar(&s.allowPort, "allow-port", nil, "interfaces to be ports although something speaks against it")
	fs.StringVar(&s.instance, "instance", "default", "names this gateway's pinned BPF objects")

	fs.StringVar(&s.admin, "admin", defaultAdmin, "admin address, host:port or unix:PATH; empty for none")
	fs.StringVar(&s.events, "events", "", "file that EVE JSON lines are appended to")
	choiceVar(fs, &s.logLevel, "log-level", "info", "least severe line that is logged", "debug", "info", "warn", "error")
	choiceVar(fs, &s.logFormat, "log-format", "text", "form of log lines", "text", "json")
}

// load settles every setting, compiles the configuration and checks both; nothing outside is touched.
func (s *runSettings) load(fs *pflag.FlagSet, lookup func(string) (string, bool)) (_ applianceConfig, err error) {
	var cfg applianceConfig
	byFlag := map[string]bool{}
	fs.Visit(func(f *pflag.Flag) { byFlag[f.Name] = true })
	defer func() { err = s.placed(err, byFlag, lookup) }()
	if s.seed == 0 {
		s.seed = randomSeed()
	}
	compiled, err := loadChains(s.config, func(keys []chain.Key) error {
		s.keys = keys
		return settle(fs, keys, lookup)
	}, func() chain.Options {
		return chain.Options{Seed: s.seed, Fails: failure(s.onWorkerFailure), NoEvents: s.events == ""}
	})
	if err != nil {
		return cfg, err
	}
	p, err := newPlan(s.config, compiled, s.ship)
	if err != nil {
		return cfg, err
	}
	_, offline := capturePath(s.inside)
	if offline { // a file is never late: give a slow machine time, unless somebody wants to see policies at work
		if !fs.Changed("max-delay") {
			s.dp.MaxDelay = time.Minute
		}
		if !fs.Changed("worker-timeout") {
			s.dp.WorkerTimeout = 30 * time.Second
		}
	}
	s.dp.DropUnmatched = s.unmatched == "drop"
	s.dp.DropMalformed = s.malformed == "drop"
	s.dp.FailureClosed = s.onWorkerFailure == "closed"
	s.dp.OverloadClosed = s.onOverload == "closed"
	s.workers.Lifetime, s.workers.JoinTimeout = s.fleet.Lifetime, s.fleet.Join
	s.workers.Pools = p.stageNames()
	s.fleet.TLS = s.relayTLS == "on"
	s.fleet.Whole = s.ship == shipFull
	if err := s.cloud(); err != nil {
		return cfg, err
	}
	cfg = applianceConfig{
		Ports: portsConfig{Inside: s.inside, Outside: s.outside, Parked: s.slots},
		Plan:  p, Dataplane: s.dp, ReplicaMB: s.replicaMB, Workers: s.workers, Fleet: s.fleet, Admin: s.admin, Events: s.events,
	}
	if offline && !fs.Changed("admin") {
		cfg.Admin = "" // over before anybody could look
	}
	cfg.Ports.XDP = s.wire()
	if s.slots < 64 || s.slots > maxParked {
		return cfg, fmt.Errorf("slots: %d packets parked a queue and side; 64 to %d are possible", s.slots, maxParked)
	}
	if s.replicaMB < 0 || s.replicaMB > maxReplicaMB {
		return cfg, fmt.Errorf("replica-memory: %d MiB; 0 to %d are possible", s.replicaMB, maxReplicaMB)
	}
	if err := cfg.Dataplane.Validate(); err != nil {
		return cfg, err
	}
	return cfg, cfg.Workers.Validate()
}

// wire is how the two interfaces become ports.
func (s *runSettings) wire() afxdp.WireConfig {
	x := afxdp.WireConfig{Instance: s.instance, FailOpen: s.onProcessFailure == "open", LeaveRelay: s.leaveRelay,
		Mode: xdpprog.Native, AllowGeneric: s.xdpMode == "auto", Override: s.allowPort, Jumbo: s.jumbo}
	if s.xdpMode == "generic" {
		x.Mode = xdpprog.Generic
	}
	x.Port.ZeroCopy, x.Port.FillRing = s.zeroCopy, min(2048, powerOfTwo(s.slots/2))
	return x
}

// cloud says which Lambda is called.
func (s *runSettings) cloud() error {
	switch {
	case s.lambdaAt == "local" && os.Getenv("AWS_ENDPOINT_URL_LAMBDA") == "":
		if s.fleet.Bootstrap == "" {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("where this program is: %w; name the worker's artifact with --bootstrap", err)
			}
			s.fleet.Bootstrap = filepath.Join(filepath.Dir(self), "bootstrap")
		}
	case s.lambdaAt == "local" || s.lambdaAt == "aws":
		s.fleet.Remote = true
	case strings.HasPrefix(s.lambdaAt, "http://") || strings.HasPrefix(s.lambdaAt, "https://"):
		s.fleet.Remote, s.fleet.Lambda.Endpoint = true, s.lambdaAt
	default:
		return fmt.Errorf("--lambda %s: expected local, aws, or a URL", s.lambdaAt)
	}
	return nil
}

func powerOfTwo(n int) int {
	p := 64
	for p*2 <= n {
		p *= 2
	}
	return p
}

func (s *runSettings) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.logLevel)) // one of the choices
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
