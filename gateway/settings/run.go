package settings

import (
	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/coordinator"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/gateway/locallambda"
	"github.com/spf13/pflag"
)

// Run are the settings of `granule run` as they are written; Load turns them into what the parts take.
type Run struct {
	Compile Compiler // nil: in this process

	config                                              string
	inside, outside                                     string
	unmatched, malformed                                string
	layer2                                              []string
	onWorkerFailure, onProcessFailure, onOverload, ship string
	dp                                                  dataplane.Config
	workers                                             coordinator.Config
	fleet                                               Fleet
	slots, replicaMB, redeliveries                      int
	relayTLS, xdpMode                                   string
	allowPort                                           []string
	jumbo, leaveRelay, zeroCopy, privateBPFFS           bool
	instance, admin, adminToken, events, lambdaAt       string
	stateDir                                            string
	adminHosts                                          []string
	workerUser                                          string
	confineWorkers                                      bool
	logLevel, logFormat                                 string
	limits                                              CompileLimits
	seed                                                uint64      // of the chains; 0 until load
	keys                                                []chain.Key // of the configuration file, after load
}

// DefaultAdmin is where the console listens, and where status and top look.
const DefaultAdmin = "127.0.0.1:9478"

// maxParked is how many packets one side of a queue can park: 4 GiB of frames.
const maxParked = 1 << 20

// Flags adds every setting to fs, with its default.
func (s *Run) Flags(fs *pflag.FlagSet) {
	s.dp, s.workers = dataplane.Defaults(), coordinator.Defaults()
	fs.StringVar(&s.config, "config", "", "configuration file: the chains, and any of these settings")
	fs.StringVar(&s.inside, "inside", "", "inside port: an interface, or pcap:FILE to read")
	fs.StringVar(&s.outside, "outside", "", "outside port: an interface, or pcap:FILE to write")

	choiceVar(fs, &s.unmatched, "unmatched", "pass", unmatchedUsage, "pass", "drop")
	fs.StringSliceVar(&s.layer2, "layer2", classify.Layer2Names(), layer2Usage)
	choiceVar(fs, &s.malformed, "malformed", "pass", "packets whose headers contradict each other: judged like others, or dropped", "pass", "drop")
	choiceVar(fs, &s.onWorkerFailure, "on-worker-failure", "closed", "packets that no worker judged within max-delay, and those on which a function failed: forwarded or dropped", "open", "closed")
	choiceVar(fs, &s.onOverload, "on-overload", "closed", "packets that found no room on their worker within max-delay: forwarded or dropped", "open", "closed")
	choiceVar(fs, &s.onProcessFailure, "on-process-failure", "open", "what the XDP program does when this process is dead or hung: relay or drop", "open", "closed")
	choiceVar(fs, &s.ship, "ship", ShipAuto, "what of a packet is sent to workers", ShipAuto, ShipHeaders, ShipFull)

	fs.DurationVar(&s.dp.MaxDelay, "max-delay", s.dp.MaxDelay, "longest time a packet is parked before it is resolved by policy (capture files: 1m)")
	fs.DurationVar(&s.dp.WorkerTimeout, "worker-timeout", s.dp.WorkerTimeout, "a worker that leaves packets unanswered this long is replaced (capture files: 30s)")
	fs.IntVar(&s.redeliveries, "max-redeliveries", s.dp.MaxDeaths-1, "how often a packet is sent to another worker because one was lost with it; then it is resolved as poison")
	fs.DurationVar(&s.dp.FlushAfter, "flush-after", s.dp.FlushAfter, "longest time a packet waits for its batch to fill")
	fs.IntVar(&s.slots, "slots", 8192, "packets that can be parked, per queue and side, 4 KiB each")
	fs.IntVar(&s.dp.Flows, "flows", s.dp.Flows, "flows that a stage keeps, in each of its workers, and a queue's flow table, 112 bytes each (a worker: 65536 unless set; check --flows prints its memory)")
	fs.IntVar(&s.replicaMB, "replica-memory", defaultReplicaMB, "MiB in all for the replica of the workers' flow state, from which a successor starts; 0 for none")
	fs.StringVar(&s.stateDir, "state-dir", "", "folder in which that replica outlives this process, so that connections go on after a restart; none: nowhere (default: /run/granule/INSTANCE)")
	fs.DurationVar(&s.dp.FlowIdle, "flow-idle", s.dp.FlowIdle, "after this long without a packet a flow is forgotten")
	fs.DurationVar(&s.dp.Spin, "spin", s.dp.Spin, "how long a shard busy-polls for answers before it sleeps, where they tend to come so soon; 0: it sleeps at once")
	fs.IntVar(&s.dp.Burst, "burst", s.dp.Burst, "frames taken from a port at a time")

	fs.IntVar(&s.workers.Seats, "workers", s.workers.Seats, "workers that share a stage")
	fs.IntVar(&s.workers.Standby, "standby", s.workers.Standby, "workers per stage that have joined and wait for one to fail")
	fs.DurationVar(&s.fleet.Lifetime, "worker-lifetime", s.workers.Lifetime, "the platform's limit for an invocation; workers are replaced at 80 to 87 % of it")
	fs.DurationVar(&s.fleet.Join, "worker-join", s.workers.JoinTimeout, "a worker that has not joined by then is given up")
	fs.StringVar(&s.fleet.Bootstrap, "bootstrap", "", "the worker's artifact, which the embedded Lambda service runs (default: bootstrap beside this program)")
	fs.StringVar(&s.fleet.Function, "lambda-function", FunctionName, "name or ARN of the worker's function")
	fs.StringVar(&s.lambdaAt, "lambda", "local", "where workers run: local (the embedded service), aws, or the URL of another Lambda endpoint")
	fs.StringVar(&s.fleet.Lambda.Region, "lambda-region", "", "AWS region")
	fs.StringVar(&s.fleet.Lambda.Profile, "lambda-profile", "", "AWS profile")
	fs.IntVar(&s.fleet.MemoryMB, "worker-memory", locallambda.MemoryPerCPU, "memory of a local worker in MB, with its CPU share as on the platform")
	fs.Float64Var(&s.fleet.CPUs, "worker-cpus", -1, "CPU share of a local worker; 0: by its memory, as on the platform; -1: no limit")
	fs.DurationVar(&s.fleet.ColdStart, "worker-cold-start", 0, "time added to the start of a local worker")

	fs.StringVar(&s.workerUser, "worker-user", ownUsers, workerUserUsage)
	fs.BoolVar(&s.confineWorkers, "worker-confine", true, "confine local workers: no capabilities, few system calls, no files but the artifact, namespaces; status says what of it this machine allows")

	fs.StringVar(&s.fleet.Listen, "relay-listen", "127.0.0.1:0", "where workers dial in")
	fs.StringSliceVar(&s.fleet.Advertise, "relay-advertise", nil, "host:port as workers see it, to be tried in order (default: relay-listen)")
	choiceVar(fs, &s.relayTLS, "relay-tls", "on", "TLS 1.3 between gateway and workers; off on loopback only", "on", "off")

	choiceVar(fs, &s.xdpMode, "xdp-mode", "auto", "where the XDP program runs: in the driver, in the generic hook, or in the driver where it can", "auto", "native", "generic")
	fs.BoolVar(&s.zeroCopy, "zero-copy", false, "ask the driver for zero-copy sockets")
	fs.BoolVar(&s.jumbo, "jumbo", false, "take frames of more than one buffer: MTU above 3498")
	fs.BoolVar(&s.leaveRelay, "leave-relay", false, "at a planned stop, leave the XDP program relaying or dropping by on-process-failure")
	fs.BoolVar(&s.privateBPFFS, "allow-private-bpffs", false, "start although the BPF file system here is not the machine's, so that on-process-failure ends with the process")
	fs.StringSliceVar(&s.allowPort, "allow-port", nil, "interfaces to use as ports in spite of what is found against them")
	fs.StringVar(&s.instance, "instance", "default", "names this gateway's pinned BPF objects")

	fs.StringVar(&s.admin, "admin", DefaultAdmin, "admin address, host:port or unix:PATH; empty for none")
	fs.StringSliceVar(&s.adminHosts, "admin-hosts", nil, "names by which the admin address may be asked over TCP, beside its addresses and localhost")
	fs.StringVar(&s.adminToken, "admin-token-file", "", "file with the token that requests over TCP must bring (Authorization: Bearer)")
	fs.StringVar(&s.events, "events", "", "file that EVE JSON lines are appended to")
	fs.IntVar(&s.limits.MemoryMiB, "compile-memory", defaultCompileMiB, "MiB that compiling the configuration may take, in a process of its own; beyond it is refused")
	fs.DurationVar(&s.limits.Timeout, "compile-timeout", defaultCompileTime, "how long compiling the configuration may take; beyond it is refused")
	choiceVar(fs, &s.logLevel, "log-level", "info", "least severe line that is logged", "debug", "info", "warn", "error")
	choiceVar(fs, &s.logFormat, "log-format", "text", "form of log lines", "text", "json")
}
