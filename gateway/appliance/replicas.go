package appliance

import (
	"fmt"

	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/replica"
)

// stageReplica is a replica as the packet path sees it.
type stageReplica struct{ *replica.Replica }

// Copy implements dataplane.Replica.
func (r stageReplica) Copy(sub uint16) dataplane.Copy {
	if c := r.Replica.Copy(sub); c != nil {
		return c
	}
	return nil
}

// Legacy implements dataplane.Replica.
func (r stageReplica) Legacy(from, to uint32) dataplane.Legacy {
	l := r.Replica.Legacy(from, to)
	return &l
}

// Stats implements dataplane.Replica.
func (r stageReplica) Stats() (entries, bytes, evicted, damaged, refused uint64) {
	s := r.Replica.Stats()
	return s.Entries, s.Bytes, s.Evicted, s.Damaged, s.Refused
}

// newReplicas makes the replicas of one of so many shards, one a stage; mib is what those of all shards may take. None of 0.
func newReplicas(cfg *dataplane.Config, mib, shards int) ([]dataplane.Replica, error) {
	if mib == 0 || len(cfg.Stages) == 0 {
		return nil, nil
	}
	all := make([]dataplane.Replica, len(cfg.Stages))
	each := min(mib<<20/(shards*len(all)), replica.MaxBytes)
	if each < replica.MinBytes {
		return nil, fmt.Errorf("replica-memory: %d MiB for %d shards of %d stages are %d bytes each; expected %d at least, or 0 for no replicas: name %d or more",
			mib, shards, len(all), each, replica.MinBytes, (shards*len(all)*replica.MinBytes+1<<20-1)>>20)
	}
	for i := range all {
		r, err := replica.New(replica.Config{Bytes: each, Seed: cfg.Seed})
		if err != nil {
			return nil, err
		}
		all[i] = stageReplica{r}
	}
	return all, nil
}
