package dataplane

// Handler takes what a worker answers. Slices are borrowed for the call.
type Handler interface {
	// State is a delta that must be applied before any verdict that follows is carried out.
	State(delta []byte)
	// Verdicts answers refs, in the order in which they were added, with one verdict: 0 passes.
	Verdicts(refs []uint64, verdict uint8)
	// Rewritten gives the new headers or the new whole packet of ref; its verdict follows.
	Rewritten(ref uint64, what uint8, data []byte)
	// Inject sends a frame that a function made out of side, because of ref.
	Inject(ref uint64, side uint8, frame []byte)
	// Events are EVE JSON lines.
	Events(lines []byte, lost uint32)
	// Report is the worker's counters.
	Report(json []byte)
	// Draining says that the worker goes away at deadline (ns since the Unix epoch).
	Draining(deadline int64)
}

// Link is one connection to one worker, used by one shard. No call blocks or allocates; relay.Conn is one.
type Link interface {
	FD() int
	Worker() uint32
	// Room reports whether a packet of which carried bytes are shipped fits the batch and the window.
	Room(carried int) bool
	// Add copies a packet into the batch. The caller asked Room.
	Add(ref uint64, sub uint16, fromOutside bool, wire int, carried []byte, whole bool, time int64)
	// Batched returns what waits in the unsent batch, and the time its first packet was added with.
	Batched() (packets int, oldest int64)
	// Flush seals the batch and writes as much as the socket takes; it reports false when the connection is broken.
	Flush() bool
	// WantWrite reports that sealed bytes wait for the socket to take them; Flush continues.
	WantWrite() bool
	// Read handles what has arrived; it reports false when the connection is broken or closed.
	Read(h Handler) bool
	// Outstanding calls f for every ref that was added and not answered, in order.
	Outstanding(f func(ref uint64))
	// Reason says why the connection ended.
	Reason() string
	Close()
}
