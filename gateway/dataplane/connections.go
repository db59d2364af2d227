package dataplane

import "github.com/granule-nf/granule/relay/wire"

// MaxWorkers is how many workers a shard is connected to at most, over all stages: those that have sub-flows, those that stand by,
// and for the time of a hand-off their successors.
const MaxWorkers = 256

// noConn is the index of no connection.
const noConn = ^uint16(0)

// conn is a connection to a worker, and what waits for room on it.
type conn struct {
	link     Link
	worker   uint32
	pool     int
	used     bool
	writes   bool // registered for writability
	waiting  queue
	suspects queue // packets that wait and have met losses: they go before the others

	dirty      bool  // has an unsent batch
	batchSince int64 // when that batch was begun
	inflight   int   // packets sent and not answered
	losses     uint8 // that each packet in flight has met
	progress   int64 // when it answered last, or something came for it after nothing

	imports    []byte   // state that waits for the socket
	imported   int64    // bytes of it so far, those that wait among them
	pong       int64    // of which the worker had applied so many when it was last looked at
	releasedAt int64    // place in the imports behind the last of its releases
	released   []uint16 // sub-flows that it has to be told it has no more

	speech     speech   // what it may say in events
	rights     rights   // of the stage, as its worker has it
	caused     uint64   // the packet that it made frames for last
	injections int      // how many
	violation  string   // what it did against its rights or the protocol; nothing counts that it says afterwards
	refused    []uint32 // slots that it answered afterwards, or with a verdict that does not exist

	draining bool // has announced its end
	retired  bool // the placement has it no more: that it is ended says nothing about the packets it has
	empty    bool // and none of its sub-flows is with it

	load     wire.Load // as it said last
	answered uint64    // packets that it has judged

	heard   int64 // when it said something, as of the last request for a report
	unheard int   // requests since then
}

// queueOf is where a packet that has met so many losses waits. Those that have met some are older than all others of their sub-flow.
func (c *conn) queueOf(losses uint8) *queue {
	if losses > 0 {
		return &c.suspects
	}
	return &c.waiting
}

// connections are the shard's, each known by its index.
type connections struct {
	all     [MaxWorkers]conn
	dirty   []uint16 // those with an unsent batch
	reading uint16   // the one whose answers are being handled
	orphans []uint32 // scratch: slots of one that was lost
}

func newConnections(slots int) connections {
	return connections{reading: noConn, orphans: make([]uint32, 0, slots)}
}

// unused returns the index of a connection that may be used, or noConn.
func (cs *connections) unused() uint16 {
	for i := range cs.all {
		if !cs.all[i].used {
			return uint16(i)
		}
	}
	return noConn
}

// of returns the connection of a pool's worker, or noConn.
func (cs *connections) of(pool int, worker uint32) uint16 {
	for i := range cs.all {
		if c := &cs.all[i]; c.used && c.worker == worker && c.pool == pool {
			return uint16(i)
		}
	}
	return noConn
}

// answering returns the connection whose answers are being handled.
func (cs *connections) answering() *conn { return &cs.all[cs.reading] }

// silent is asked once a request for a report. It notices workers that have nothing to answer, a standby above all: a hung one must
// not be the successor of a dead one. Requests are counted rather than time, as after a pause of the gateway itself.
func (c *conn) silent() bool {
	if h := c.link.LastHeard(); h != c.heard {
		c.heard, c.unheard = h, 0
		return false
	}
	c.unheard++
	return c.unheard > maxUnheard
}

const maxUnheard = 3
