// Package replica keeps, in the gateway, what the workers of one stage know about their flows: each delta that rides with
// verdicts replaces what it speaks of, before the packets it speaks of leave. So a replica is always the state after the last packet
// released, and a worker that takes over starts from there.
//
// A Replica is of one shard and one stage and is used by that shard's thread alone. It knows entries, keys and sub-flows, and nothing of what
// is in them. Its memory is fixed when it is made; when it is full, the state told longest ago goes first, and is counted. Workers tell
// live flows again every quarter of their idle time, at most every five minutes, so what goes first is what has been quiet. Each
// worker has a quota (owner.go).
//
// A successor is given state by sub-flow (copy.go).
//
// # Patches
//
// Workers that answer batch for batch send of a state what has changed (state.Patch): fields, and where bytes of the batch's packets
// were added, which of them. So a packet that is kept for its acknowledgement does not travel twice. From time to time a state
// comes whole, so one that was lost here is there again.
//
// # Shared state
//
// What a function keeps across flows (counters, buckets of limits) comes as deltas that only the function can merge. They are
// kept in order, and when a worker has gone one successor gets its deltas, with what it had inherited (Legacy): each delta reaches one
// living worker, once, so sums over workers stay right. Their room is a sixteenth of the replica's
// memory; when it is used up, the oldest go: limits, which live in the newest ones, survive; a successor's counters then start later.
package replica

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/granule-nf/granule/flowhash"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// SubFlows is how many sub-flows a stage has.
const SubFlows = 4096

// Bounds of Config.Bytes.
const (
	MinBytes = 128 << 10
	MaxBytes = 256 << 20
)

// Config sizes a replica.
type Config struct {
	Bytes int    // memory in all, MinBytes to MaxBytes; it is reserved at once, and used as entries come
	Seed  uint64 // keeps senders from aiming flows at one bucket
	// Path is the file that the memory is; "": it goes with the process. See Open.
	Path     string
	Identity Identity
}

// Stats are the counters of a replica.
type Stats struct {
	Bytes   uint64 // in use: records with their places in the index, blocks, deltas of shared state
	Entries uint64 // of flows, one a function
	Evicted uint64 // entries given up for room, of flows and of shared state, or because a patch did not fit them
	Damaged uint64 // deltas that could not be read to their end
	Refused uint64 // entries of flows that their worker has no say in
}

// forHomes derives the index's seed: Config.Seed may be the one that chooses a flow's sub-flow, and with it the shard whose replica this
// is. Homes by the same hash would lie as many slots apart as there are shards: 3.8 slots from home in the mean with 16 shards, for 0.4.
const forHomes = 1

// Replica is the state of one stage's workers as one shard knows it.
type Replica struct {
	store
	log       ring
	functions int                  // that the stage has; of others nothing is taken in
	since     [maxFunctions]uint64 // place from which on a function's deltas of shared state count
	damaged   uint64
	entry     state.Entry // of the delta at hand
	last      []byte      // the state that a patch is for
	patched   []byte      // and what it makes of it
	sizes     sizes
	memory    memory
	file      *file // nil: the memory goes with the process
	identity  Identity
}

// New makes an empty replica, without a file.
func New(cfg Config) (*Replica, error) {
	if cfg.Bytes < MinBytes || cfg.Bytes > MaxBytes {
		return nil, fmt.Errorf("replica: %d bytes of memory; %d to %d are possible", cfg.Bytes, MinBytes, MaxBytes)
	}
	z := sizesOf(cfg.Bytes)
	return newReplica(cfg, z, z.cut(aligned(z.bytes()))), nil
}

// aligned is n bytes that begin at a multiple of 8.
func aligned(n int) []byte {
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), n)
}

func newReplica(cfg Config, z sizes, m memory) *Replica {
	r := &Replica{store: newStore(z, m, flowhash.Derive(cfg.Seed, forHomes)), log: ring{data: m.ring}, functions: maxFunctions, sizes: z, memory: m, identity: cfg.Identity}
	r.copies = make([]Copy, Copies)
	r.eraSum = sumOfEra(0)
	r.log.eraSum = r.eraSum
	return r
}

// Forget empties the replica; what has been counted stays counted. No copy is being made.
func (r *Replica) Forget() {
	evicted, refused, copies, sealed, era, told, epochs := r.evicted, r.refused, r.copies, r.sealed, r.era+1, r.told, r.epochs
	clear(r.records[:r.top])
	r.store = newStore(r.sizes, r.memory, r.seed)
	r.evicted, r.refused, r.copies, r.sealed, r.era, r.told, r.epochs = evicted, refused, copies, sealed, era, told, epochs
	r.log.drop(r.log.used)
	r.eraSum = sumOfEra(era)
	r.log.eraSum = r.eraSum
	r.label()
}

// maxEntries is how many entries of a delta are read: a batch of 256 packets changes no more flows, of a handful of functions and with those
// that end meanwhile. A shard has other things to do than to read the 400,000 that a frame has room for.
const maxEntries = 1 << 13

// maxFunctions is how many functions entries can name.
const maxFunctions = 256

// Keep says that the stage has these functions from now on, joined by ", ". What is known of others is forgotten, and what their last workers still tell.
// It takes no longer however much that is: what is forgotten keeps its room until it is the oldest.
func (r *Replica) Keep(functions string) {
	n := strings.Count(functions, ", ") + 1
	r.functions, r.identity.Functions = n, functions
	for nf := n; nf < maxFunctions; nf++ {
		r.epochs[nf]++
		r.since[nf] = r.log.end()
	}
	r.label()
}

// Say is who has a say in what.
type Say = interface {
	// Holds reports whether worker has sub-flow sub.
	Holds(worker uint32, sub uint16) bool
	// Home reports whether packets of key are in sub, as far as a key tells it: flows within tunnels, and fragments, are in the
	// sub-flow of the packets that carry them.
	Home(sub uint16, key *[6]uint64) bool
}

// Apply takes in a delta that worker told. Of flows only those count that are in a sub-flow that it holds, and it changes what is known of
// no other. parked lends packet i of the batch that the delta came with, nil if it has gone. Apply allocates nothing.
func (r *Replica) Apply(worker uint32, delta []byte, say Say, parked func(i int) []byte) {
	in, e := state.Read(delta), &r.entry
	for at, n := 0, 0; in.Next(e); at, n = in.Offset(), n+1 {
		if n == maxEntries {
			r.damaged++
			break
		}
		switch {
		case e.Kind == state.Shared:
			if int(e.NF) < r.functions {
				r.share(worker, e.NF, delta[at:in.Offset()])
			}
		case e.Sub >= SubFlows || !say.Holds(worker, e.Sub):
			r.refused++
		case e.Kind == state.Gone:
			r.gone(e)
		case int(e.NF) < r.functions:
			if e.Kind == state.Change && !r.change(e, worker, say, parked) {
				r.evicted++
			}
			r.put(e, worker, say)
		}
	}
	e.Data = nil // it is the caller's
	if in.Err() != nil {
		r.damaged++
	}
}

// gone forgets all that is known of a flow, in the sub-flow of which it is said.
func (r *Replica) gone(e *state.Entry) {
	r.forgotten(e)
	for i, ok := r.first(&e.Key); ok; i, ok = r.following(i, &e.Key) {
		if r.records[r.slots[i]-1].sub == e.Sub {
			r.remove(i)
			i-- // removing moves later slots of the run back
		}
	}
}

// Stats returns the counters.
func (r *Replica) Stats() Stats {
	return Stats{Entries: uint64(r.live), Evicted: r.evicted + r.log.evicted, Damaged: r.damaged, Refused: r.refused,
		Bytes: uint64(r.live)*recordBytes + uint64(r.blocksUsed)*blockBytes + uint64(r.log.used)}
}
