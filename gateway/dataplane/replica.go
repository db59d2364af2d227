package dataplane

import "strings"

// Replica is the state that the workers of one stage have, as they have sent it to this shard. It is used by the shard's thread alone.
type Replica interface {
	// Apply takes in a change of worker's state, before the packets that caused it leave.
	Apply(worker uint32, delta []byte)
	// Export begins to copy to worker to what workers from have, and of the other flows those that wants wants.
	Export(from []uint32, to uint32, wants func(key *[6]uint64) bool) Export
	// Inherit notes that worker to has been given all of the state that workers from had.
	Inherit(from []uint32, to uint32)
	// Forget empties it: the functions have changed.
	Forget()
	// Keep says that the stage has n functions from now on: state of others is removed.
	Keep(n int)
	// Stats returns how many entries it has and of how many bytes, how many it gave up for room, and how many deltas were damaged.
	Stats() (entries, bytes, evicted, damaged uint64)
}

// Export is the state that one successor is given, in parts.
type Export interface {
	// Part returns the part at hand, the same one until Sent, and whether another one follows. It may be empty.
	Part() (part []byte, more bool)
	Sent()
}

func (s *Shard) replica(pool int) Replica {
	if pool < len(s.cfg.Replicas) {
		return s.cfg.Replicas[pool]
	}
	return nil
}

// forgetState takes out of the replicas what a layout has no use for: all where a stage's functions are others, or in another order,
// and of functions taken away. State names its function by its place, where another one may stand some day.
func (s *Shard) forgetState(next []Stage) {
	for pool := range next {
		r := s.replica(pool)
		if r == nil || pool >= len(s.cfg.Stages) || s.cfg.Stages[pool].Functions == next[pool].Functions {
			continue
		}
		if !continues(s.cfg.Stages[pool].Functions, next[pool].Functions) {
			r.Forget()
			s.routes[pool].state = [SubFlows]uint32{}
		}
		r.Keep(strings.Count(next[pool].Functions, ", ") + 1)
	}
}

// continues reports whether the functions of two layouts are the same as far as both have some.
func continues(a, b string) bool {
	return strings.HasPrefix(a+", ", b+", ") || strings.HasPrefix(b+", ", a+", ")
}

// countReplicas copies the replicas' counters into the ledger.
func (s *Shard) countReplicas() {
	l := &s.led
	l.ReplicaEntries, l.ReplicaBytes, l.ReplicaEvicted, l.ReplicaDamaged = 0, 0, 0, 0
	for _, r := range s.cfg.Replicas {
		if r != nil {
			entries, bytes, evicted, damaged := r.Stats()
			l.ReplicaEntries += entries
			l.ReplicaBytes += bytes
			l.ReplicaEvicted += evicted
			l.ReplicaDamaged += damaged
		}
	}
}
