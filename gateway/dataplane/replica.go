package dataplane

import "strings"

// Replica is the state that the workers of one stage have, as they have sent it to this shard. It is used by the shard's thread alone.
type Replica interface {
	// Apply takes in a change of worker's state, before the packets that caused it leave: of flows only those of sub-flows that it has.
	// parked lends packet i of the batch that they came in, nil if it has gone.
	Apply(worker uint32, delta []byte, say Say, parked func(i int) []byte)
	// Copy begins a copy of the state of a sub-flow; nil if none can begin now.
	Copy(sub uint16) Copy
	// Knows reports whether there is state of a sub-flow.
	Knows(sub uint16) bool
	// Legacy begins to tell worker to the shared state that worker from leaves.
	Legacy(from, to uint32) Legacy
	// Forget empties it: the functions have changed.
	Forget()
	// Keep says that the stage has these functions from now on, joined by ", ": state of others is removed.
	Keep(functions string)
	// Restored reports whether anything of a sub-flow was told before this process, or before Unseen, and not since.
	Restored(sub uint16) bool
	// Unseen says that packets have passed that no worker saw.
	Unseen()
	// Has reports whether there is state of a flow.
	Has(key *[6]uint64) bool
	// Stats returns how many entries it has and of how many bytes, how many it gave up for room, how many deltas were damaged, and how
	// many entries came from workers that had no say in them.
	Stats() (entries, bytes, evicted, damaged, refused uint64)
}

// Say is who has a say in what a replica takes in; see package replica.
type Say = interface {
	Holds(worker uint32, sub uint16) bool
	Home(sub uint16, key *[6]uint64) bool
}

// Copy is the state of a sub-flow on its way to a successor. What changes meanwhile comes again.
type Copy interface {
	// Next appends whole entries of up to limit bytes, or one that is longer.
	Next(dst []byte, limit int) []byte
	// AtEnd reports whether there is nothing that Next has not appended.
	AtEnd() bool
	// End ends the copy.
	End()
}

// Legacy is shared state on its way to an heir.
type Legacy interface {
	// Next appends whole entries of up to limit bytes, or one that is longer, and reports whether more follow.
	Next(dst []byte, limit int) (part []byte, more bool)
}

func (s *Shard) replica(pool int) Replica {
	if pool < len(s.cfg.Replicas) && s.cfg.Replicas[pool] != nil {
		return s.cfg.Replicas[pool]
	}
	return stateless{}
}

// stateless is the replica of a stage whose workers start empty: their sub-flows are handed off like others, with nothing.
type stateless struct{}

func (stateless) Apply(uint32, []byte, Say, func(int) []byte)               {}
func (stateless) Copy(uint16) Copy                                          { return stateless{} }
func (stateless) Knows(uint16) bool                                         { return false }
func (stateless) Legacy(uint32, uint32) Legacy                              { return nothing{} }
func (stateless) Forget()                                                   {}
func (stateless) Keep(string)                                               {}
func (stateless) Restored(uint16) bool                                      { return false }
func (stateless) Unseen()                                                   {}
func (stateless) Has(*[6]uint64) bool                                       { return false }
func (stateless) Stats() (entries, bytes, evicted, damaged, refused uint64) { return }
func (stateless) Next(dst []byte, _ int) []byte                             { return dst }
func (stateless) AtEnd() bool                                               { return true }
func (stateless) End()                                                      {}

// nothing is what workers of such a stage leave.
type nothing struct{}

func (nothing) Next(dst []byte, _ int) ([]byte, bool) { return dst, false }

// forgetState takes out of the replicas what a layout has no use for: all where a stage's functions are others, or in another order,
// and of functions taken away. State names its function by its place, where another one may stand some day.
func (s *Shard) forgetState(next []Stage) {
	for pool := range next {
		r := s.replica(pool)
		if pool >= len(s.cfg.Stages) || s.cfg.Stages[pool].Functions == next[pool].Functions {
			continue
		}
		if !continues(s.cfg.Stages[pool].Functions, next[pool].Functions) {
			r.Forget()
			s.routes[pool].state = [SubFlows]uint32{}
		}
		r.Keep(next[pool].Functions)
	}
}

// continues reports whether the functions of two layouts are the same as far as both have some.
func continues(a, b string) bool {
	return strings.HasPrefix(a+", ", b+", ") || strings.HasPrefix(b+", ", a+", ")
}

// countReplicas copies the replicas' counters into the ledger.
func (s *Shard) countReplicas() {
	l := &s.led
	l.ReplicaEntries, l.ReplicaBytes, l.ReplicaEvicted, l.ReplicaDamaged, l.ReplicaRefused = 0, 0, 0, 0, 0
	for _, r := range s.cfg.Replicas {
		if r != nil {
			entries, bytes, evicted, damaged, refused := r.Stats()
			l.ReplicaEntries += entries
			l.ReplicaBytes += bytes
			l.ReplicaEvicted += evicted
			l.ReplicaDamaged += damaged
			l.ReplicaRefused += refused
		}
	}
}
