// Package replica keeps, in the gateway, what the workers of one stage know about their flows: each delta that rides with
// verdicts replaces what it speaks of, before the packets it speaks of leave. So a replica is always the state after the last packet
// released, and a worker that takes over starts from there.
//
// A Replica is of one shard and one stage and is used by that shard's thread alone. It knows entries and keys, and nothing of what is in
// them. Its memory is fixed when it is made; when it is full, the state told longest ago goes first, and is counted. Workers tell
// live flows again every quarter of their idle time, at most every five minutes, so what goes first is what has been quiet.
//
// # Shared state
//
// What a function keeps across flows (counters, buckets of limits) comes as deltas that only the function can merge. They are
// kept in order, and a successor gets those of the workers whose sub-flows it takes, with what these had
// inherited: each delta reaches one living worker, once, so sums over workers stay right. Their room is a sixteenth of the replica's
// memory; when it is used up, the oldest go: limits, which live in the newest ones, survive; a successor's counters then start later.
package replica

import (
	"fmt"

	"github.com/granule-nf/granule/flowhash"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Bounds of Config.Bytes.
const (
	MinBytes = 64 << 10
	MaxBytes = 256 << 20 // a worker takes over no more at once
)

// Config sizes a replica.
type Config struct {
	Bytes int    // memory in all, MinBytes to MaxBytes; it is reserved at once, and used as entries come
	Seed  uint64 // keeps senders from aiming flows at one bucket
	// OneWorker says that a key is never known to two workers at once: sub-flows are those of keys. Else a worker may have taken over
	// more than it needed, and when it forgets a flow, that of another worker stays.
	OneWorker bool
}

// Stats are the counters of a replica.
type Stats struct {
	Bytes   uint64 // in use: records with their places in the index, blocks, deltas of shared state
	Entries uint64 // of flows, one a function
	Evicted uint64 // entries given up for room, of flows and of shared state
	Damaged uint64 // deltas that could not be read to their end
}

// forHomes derives the index's seed: Config.Seed may be the one that chooses a flow's sub-flow, and with it the shard whose replica this
// is. Homes by the same hash would lie as many slots apart as there are shards: 3.8 slots from home in the mean with 16 shards, for 0.4.
const forHomes = 1

// Replica is the state of one stage's workers as one shard knows it.
type Replica struct {
	store
	oneWorker bool
	log       ring
	functions int                  // that the stage has; of others nothing is taken in
	since     [maxFunctions]uint64 // place from which on a function's deltas of shared state count
	damaged   uint64
	entry     state.Entry // of the delta at hand
}

// New makes an empty replica.
func New(cfg Config) (*Replica, error) {
	if cfg.Bytes < MinBytes || cfg.Bytes > MaxBytes {
		return nil, fmt.Errorf("replica: %d bytes of memory; %d to %d are possible", cfg.Bytes, MinBytes, MaxBytes)
	}
	return &Replica{store: newStore(cfg.Bytes-cfg.Bytes/16, flowhash.Derive(cfg.Seed, forHomes)), oneWorker: cfg.OneWorker, log: ring{data: make([]byte, cfg.Bytes/16)}, functions: maxFunctions}, nil
}

// Forget empties the replica; what has been counted stays counted.
func (r *Replica) Forget() {
	evicted := r.evicted
	r.store = newStore(r.size, r.seed)
	r.evicted = evicted
	r.log.drop(r.log.used)
}

// maxFunctions is how many functions entries can name.
const maxFunctions = 256

// Keep says that the stage has n functions from now on. What is known of others is forgotten, and what their last workers still tell.
// It takes no longer however much that is: what is forgotten keeps its room until it is the oldest.
func (r *Replica) Keep(n int) {
	r.functions = n
	for nf := n; nf < maxFunctions; nf++ {
		r.epochs[nf]++
		r.since[nf] = r.log.end()
	}
}

// Apply takes in a delta that worker told. It allocates nothing, but for the first entry of a worker.
func (r *Replica) Apply(worker uint32, delta []byte) {
	in, e := state.Read(delta), &r.entry
	o := r.ownerOf(worker)
	for at := 0; in.Next(e); at = in.Offset() {
		if int(e.NF) >= r.functions {
			continue
		}
		switch e.Kind {
		case state.Gone:
			r.gone(&e.Key, o)
		case state.Flow:
			r.put(e, o)
		case state.Shared:
			r.share(o, e.NF, delta[at:in.Offset()])
		}
	}
	e.Data = nil // it is the caller's
	if in.Err() != nil {
		r.damaged++
	}
}

func (r *Replica) gone(key *[6]uint64, o uint16) {
	for i, ok := r.first(key); ok; i, ok = r.following(i, key) {
		rec := &r.records[r.slots[i]-1]
		if r.oneWorker || r.owners[rec.owner].worker == r.owners[o].worker {
			r.remove(i)
			i-- // removing moves later slots of the run back
		}
	}
}

// Stats returns the counters.
func (r *Replica) Stats() Stats {
	return Stats{Entries: uint64(r.live), Evicted: r.evicted + r.log.evicted, Damaged: r.damaged,
		Bytes: uint64(r.live)*recordBytes + uint64(r.blocksUsed)*blockBytes + uint64(r.log.used)}
}
