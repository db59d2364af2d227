package console

import (
	"bytes"
	"sync/atomic"
)

// laneSize bounds the lines of a lane that wait for the disk. All of it is there from the start, so that nothing is allocated
// when lines come; until they do, the kernel has given no page of it.
const laneSize = 4 << 20

// EventLane takes in the lines of one shard: a ring of bytes that its shard fills and the log's writer empties, with no lock
// between them.
type EventLane struct {
	log  *EventLog
	ring []byte
	head atomic.Uint64 // bytes taken out; moved by the writer
	tail atomic.Uint64 // bytes put in; moved by the shard
}

// Lane adds a lane.
func (e *EventLog) Lane() *EventLane {
	l := &EventLane{log: e}
	if e.keeps {
		l.ring = make([]byte, laneSize)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lanes = append(e.lanes, l)
	return l
}

// Lose counts n lines that were not passed on.
func (l *EventLane) Lose(n uint64) { l.log.lost.Add(n) }

// Add takes whole lines in; claimed is how many their maker says it had no room for. What stands behind the last newline is no line, and is
// counted as one lost: it would spoil another worker's. One goroutine at a time may call it; it never waits and allocates nothing.
func (l *EventLane) Add(text []byte, claimed uint32) {
	e := l.log
	e.claimed.Add(uint64(claimed))
	if whole := bytes.LastIndexByte(text, '\n') + 1; whole < len(text) {
		text = text[:whole]
		e.lost.Add(1)
	}
	if len(text) == 0 {
		return
	}
	if !e.keeps {
		e.written.Add(lines(text))
		return
	}
	tail := l.tail.Load()
	if len(text) > len(l.ring)-int(tail-l.head.Load()) || e.closed.Load() {
		e.lost.Add(lines(text))
		return
	}
	at := int(tail % uint64(len(l.ring)))
	copy(l.ring, text[copy(l.ring[at:], text):])
	l.tail.Store(tail + uint64(len(text)))
	select {
	case e.wake <- struct{}{}:
	default: // it is awake already, and looks again
	}
}

// pending returns what is in the ring; the second part is from its beginning, and a line may run on from the first.
func (l *EventLane) pending() (first, second []byte) {
	head := l.head.Load()
	at, n := int(head%uint64(max(len(l.ring), 1))), int(l.tail.Load()-head)
	first = l.ring[at:min(at+n, len(l.ring))]
	return first, l.ring[:n-len(first)]
}

// release makes room of what pending returned.
func (l *EventLane) release(n int) { l.head.Add(uint64(n)) }
