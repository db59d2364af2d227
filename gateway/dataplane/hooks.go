package dataplane

import "github.com/granule-nf/granule/ingress"

// Hooks are called by a shard's thread when something happens that others act on. They must not block.
type Hooks struct {
	// Beat is called in every turn that the heartbeat should hear of, at most once in 10 ms.
	Beat func(shard int)
	// Lost: a worker's connection ended. judged says whether it had judged packets.
	Lost func(shard int, worker uint32, pool int, judged bool, why string)
	// Released: a worker that the placement has no more has no sub-flow of the shard any more.
	Released func(shard int, worker uint32)
	// Draining: a worker announced its end.
	Draining func(shard int, worker uint32, deadline int64)
	// Events and Report: what workers say; slices are borrowed for the call. claimed is how many events the worker says it lost.
	Events func(shard int, lines []byte, claimed uint32)
	// EventsLost: so many lines of a worker that sends more than it may were not passed on.
	EventsLost func(shard int, n uint64)
	Report     func(shard int, worker uint32, json []byte)
}

// withDefaults gives every hook something to call.
func (h Hooks) withDefaults() Hooks {
	if h.Beat == nil {
		h.Beat = func(int) {}
	}
	if h.Lost == nil {
		h.Lost = func(int, uint32, int, bool, string) {}
	}
	if h.Released == nil {
		h.Released = func(int, uint32) {}
	}
	if h.Draining == nil {
		h.Draining = func(int, uint32, int64) {}
	}
	if h.Events == nil {
		h.Events = func(int, []byte, uint32) {}
	}
	if h.EventsLost == nil {
		h.EventsLost = func(int, uint64) {}
	}
	if h.Report == nil {
		h.Report = func(int, uint32, []byte) {}
	}
	return h
}

// Queue is the pair of port queues a shard owns.
type Queue struct {
	Ports [2]ingress.Port
}
