package replica

// A worker's quota: records are listed by the worker that told them last, and where there is no room the worker that has most gives up the
// one that it told longest ago. So of n workers none can push another one below an n-th of the memory, whatever it makes up.

// maxOwners is how many workers are told apart; those beyond it share the last list. A shard has 256 connections, over all stages.
const maxOwners = 1 << 8

// owner is a worker with the list of its records, in the order of last told.
type owner struct {
	worker         uint32
	oldest, newest uint32
	live           int
}

// ownerOf returns the place of worker among the owners.
func (s *store) ownerOf(worker uint32) uint8 {
	if o := &s.owners[s.speaks]; o.worker == worker && o.live > 0 {
		return s.speaks
	}
	free := maxOwners - 1
	for i := range s.owners {
		switch o := &s.owners[i]; {
		case o.live > 0 && o.worker == worker:
			s.speaks = uint8(i)
			return s.speaks
		case o.live == 0:
			free = min(free, i)
		}
	}
	o := &s.owners[free]
	if o.live == 0 {
		*o = owner{worker: worker, oldest: none, newest: none}
	}
	s.speaks = uint8(free)
	return s.speaks
}

// largest is the worker that has most records.
func (s *store) largest() *owner {
	most := &s.owners[0]
	for i := range s.owners {
		if s.owners[i].live > most.live {
			most = &s.owners[i]
		}
	}
	return most
}
