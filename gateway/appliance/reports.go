package appliance

import (
	"encoding/json"
	"sync"
	"sync/atomic"
)

// reports keeps the newest report of each connection: a worker has one to every shard, and on each a pipeline of its own,
// which tells of nothing but its own packets.
type reports struct {
	of []shardReports
}

// shardReports are those that came over one shard's connections. The shard's thread never waits for a reader: while one
// copies, a report is passed over, and the next comes within a second.
type shardReports struct {
	mu   sync.Mutex
	by   map[uint32][]byte // by worker
	held int               // bytes of them
	gone atomic.Pointer[departed]
}

// departed is a worker whose connection has ended, and those that left before it.
type departed struct {
	worker uint32
	before *departed
}

func newReports(shards int) *reports {
	r := &reports{make([]shardReports, shards)}
	for i := range r.of {
		r.of[i].by = map[uint32][]byte{}
	}
	return r
}

// keep is dataplane.Hooks.Report.
func (r *reports) keep(shard int, worker uint32, json []byte) {
	s := &r.of[shard]
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	s.bury()
	if more := len(json) - len(s.by[worker]); len(json) <= maxReport && s.held+more <= maxReports {
		s.by[worker] = append(s.by[worker][:0], json...)
		s.held += more
	}
}

// A report that is longer is left out, as are those that all of a shard's have no more room for: a worker's word is no reason to let
// status grow. One with 20,000 rules takes 2 MB.
const (
	maxReport  = 4 << 20
	maxReports = 16 << 20
)

// forget is told by the shard's thread that the worker's connection to it has ended, after the last report of it. Whoever
// has the lock next lets the report go; until then nothing can be added either, so no more pile up than there were.
func (r *reports) forget(shard int, worker uint32) {
	s := &r.of[shard]
	for {
		before := s.gone.Load()
		if s.gone.CompareAndSwap(before, &departed{worker, before}) {
			return
		}
	}
}

// bury lets the reports of departed workers go; with the lock held.
func (s *shardReports) bury() {
	for d := s.gone.Swap(nil); d != nil; d = d.before {
		s.held -= len(s.by[d.worker])
		delete(s.by, d.worker)
	}
}

// all returns what each worker reports, in sum over its connections; what is no report is left out.
func (r *reports) all() map[uint32]json.RawMessage {
	if r == nil {
		return nil
	}
	by := map[uint32][][]byte{}
	for i := range r.of {
		s := &r.of[i]
		s.mu.Lock()
		s.bury()
		for w, text := range s.by {
			by[w] = append(by[w], append([]byte(nil), text...))
		}
		s.mu.Unlock()
	}
	m := make(map[uint32]json.RawMessage, len(by))
	for w, texts := range by {
		if text := sumReports(texts); text != nil {
			m[w] = text
		}
	}
	return m
}
