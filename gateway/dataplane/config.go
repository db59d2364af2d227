package dataplane

import (
	"errors"
	"fmt"
	"time"

	"github.com/granule-nf/granule/gateway/dataplane/classify"
)

// Stage is one pool of workers: a stage of a chain, and what it needs of a packet.
type Stage struct {
	Chain int
	Name  string // chain and stage, for people
	Whole bool   // it reads payloads: whole packets are shipped
	// What its workers may do to packets, see rights.go.
	Writes  Extent
	Injects bool
	// Functions are the names of its functions, in order: to a stage of others the state of this one means nothing.
	Functions string
}

// Affinity says what of a packet chooses its sub-flow within a chain.
type Affinity uint8

// Affinities, as nf has them.
const (
	ByFlow Affinity = iota
	ByInside
	ByOutside
)

// Chain is an ordered list of stages.
type Chain struct {
	Name     string
	First    int // index of its first stage in Config.Stages
	Stages   int
	Affinity Affinity
	Fixed    bool // packets from outside meet the stages in the same order as those from inside, not in reverse
}

// Config is what a shard works from. Times are bounds a user sees; see README.
type Config struct {
	Chains []Chain
	Stages []Stage
	classify.Rules
	MaxDelay       time.Duration // longest time a packet is parked before policy settles it
	FlushAfter     time.Duration // longest time a packet waits in a batch while others keep coming
	OverloadClosed bool          // settle packets that found no room by dropping them
	FailureClosed  bool          // settle packets that found no worker or got no verdict by dropping them
	WorkerTimeout  time.Duration // a worker that leaves a packet unanswered this long is lost
	MaxDeaths      int           // a packet that so many workers died with is settled as poison
	Verdicts       int           // how many verdicts there are: a worker that gives another one is lost
	Slots          int           // packets parked at once, both sides together
	Flows          int           // flow table entries
	FlowIdle       time.Duration
	Burst          int           // frames taken from a port in one go
	IdleRounds     int           // empty turns before the shard sleeps
	Spin           time.Duration // how long the shard asks for answers before it sleeps, where they tend to come so soon; 0: not
	Seed           uint64
	Replicas       []Replica // one a stage, of this shard alone; nil for a stage whose workers start empty
	Restored       bool      // the replicas have state that workers of an earlier process told, as worker 0
	// BeatWhenJudging: no heartbeat until there are workers for all sub-flows. The wire is relayed by then, and stays so.
	BeatWhenJudging bool
	WaitForWorkers  bool // take nothing in while packets wait: for a capture file, which can't be late
}

// Defaults returns the settings of a gateway that nobody tuned.
func Defaults() Config {
	return Config{
		Rules:    classify.Rules{Choose: func([]byte, uint32) int { return 0 }, Layer2: everyName()},
		MaxDelay: 2 * time.Second, FlushAfter: 50 * time.Microsecond, WorkerTimeout: time.Second, MaxDeaths: 3,
		FailureClosed: true, OverloadClosed: true,
		Verdicts: int(maxVerdict) + 1, Slots: 16384, Flows: 1 << 18, FlowIdle: 5 * time.Minute, Burst: 128, IdleRounds: 2,
		Spin: 300 * time.Microsecond,
	}
}

func everyName() classify.Layer2 {
	l, _ := classify.ParseLayer2(classify.Layer2Names()) // names are known
	return l
}

// Validate refuses what contradicts itself.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Slots < 64 || c.Slots > 1<<24 {
		bad("slots: %d parked packets; 64 to %d are possible", c.Slots, 1<<24)
	}
	if c.Flows < 16 || c.Flows > 1<<26 {
		bad("flows: %d flow table entries; 16 to %d are possible", c.Flows, 1<<26)
	}
	if c.Burst < 1 || c.Burst > maxBurst {
		bad("burst: %d frames; 1 to %d are possible", c.Burst, maxBurst)
	}
	if c.MaxDelay <= 0 || c.WorkerTimeout <= 0 {
		bad("max-delay: found %v, and worker-timeout %v; times above 0 are expected", c.MaxDelay, c.WorkerTimeout)
	}
	if c.WorkerTimeout >= c.MaxDelay {
		bad("worker-timeout: found %v; it must be below max-delay, which is %v, or a hung worker's packets are settled before a successor can have them: lower it, or raise max-delay", c.WorkerTimeout, c.MaxDelay)
	}
	if c.Verdicts < 1 || c.Verdicts > maxVerdict+1 {
		bad("verdicts: %d; 1 to %d are possible", c.Verdicts, maxVerdict+1)
	}
	if c.MaxDeaths < 2 || c.MaxDeaths > 100 {
		bad("max-deaths: %d workers; 2 to 100 are possible: with 1, packets would be settled for having been beside the one that killed", c.MaxDeaths)
	}
	if c.FlowIdle <= 0 {
		bad("flow-idle: %v; a time above 0 is expected", c.FlowIdle)
	}
	if c.FlushAfter < 0 || c.FlushAfter >= c.MaxDelay {
		bad("flush-after: %v; 0 or more is expected, and less than max-delay, which is %v", c.FlushAfter, c.MaxDelay)
	}
	if c.Spin < 0 || c.Spin > time.Second {
		bad("spin: %v; 0 to 1s are possible", c.Spin)
	}
	if len(c.Chains) > 255 {
		bad("chains: %d; at most 255 are possible", len(c.Chains))
	}
	return errors.Join(errs...)
}
