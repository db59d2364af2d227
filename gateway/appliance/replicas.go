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

// newReplicas makes the replicas of one of so many shards, one a stage; mib is what those of all shards may take. None of 0. cfg says then whether one of them
// took over state from an earlier process.
func (a *Appliance) newReplicas(cfg *dataplane.Config, mib, shard, shards int) ([]dataplane.Replica, error) {
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
		stage, size := &cfg.Stages[i], replica.Config{Bytes: each, Seed: cfg.Seed}
		r, found, err := a.state.open(size, stage, cfg.Seed, shard, shards)
		if err != nil {
			if a.cfg.State.Chosen {
				return nil, fmt.Errorf("state-dir: %w", err)
			}
			a.volatile = fmt.Sprintf("flow state of stage %s does not outlive this process: %v", stage.Name, err)
			a.log.Warn(a.volatile)
			if r, err = replica.New(size); err != nil {
				return nil, err
			}
		}
		switch {
		case found.Refused != "":
			a.log.Warn("state of an earlier process is not taken over", "stage", stage.Name, "shard", shard, "reason", found.Refused)
		case found.Found:
			a.log.Info("state of an earlier process taken over", "stage", stage.Name, "shard", shard, "entries", found.Entries, "shared", found.Shared, "torn", found.Torn)
			cfg.Restored = true
		}
		all[i] = stageReplica{r}
		a.replicas = append(a.replicas, r)
	}
	return all, nil
}
