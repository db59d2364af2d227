package nf

import "github.com/granule-nf/granule/lambdaworker/state"

// NF is one network function of a stage. It is used by one goroutine.
type NF interface {
	// Needs says what the function reads and may change. It is asked once, after New.
	Needs() Needs
	// Process judges the packets of b.Live in order. It allocates nothing, but where it raises an event.
	Process(b *Batch)
	// Report adds the function's counters to r. It is called between batches.
	Report(r *Report)
}

// FlowState is implemented by functions that keep state for each flow, in slices indexed by flow handle. The encoding is
// the function's own, independent of Go's memory layout, and versioned by StateVersion.
type FlowState interface {
	StateVersion() uint16
	// AppendFlow appends the state of flow to dst; nothing, if it has none.
	AppendFlow(dst []byte, flow uint32) []byte
	// ApplyFlow replaces the state of flow by data that AppendFlow of this version made. Data of a hostile or broken
	// peer gives an error and leaves the flow without state.
	ApplyFlow(flow uint32, data []byte) error
	// ForgetFlow empties the state of flow: it was evicted, moved away, or its handle starts another flow.
	ForgetFlow(flow uint32)
}

// EntryState is implemented by functions that keep state in tables of their own, under keys of their own: sessions, buckets of addresses. Where
// keys look like those of flows they have a bit that no packet.Key has, since what is said of a flow would hold for them too.
type EntryState interface {
	StateVersion() uint16
	// AppendEntries appends entries, in the form of package state and in the name of function n, for what has changed since the last call:
	// without data where there is nothing any more.
	AppendEntries(dst []byte, n uint8) []byte
	// ApplyEntry takes over what AppendEntries of this version told. Data of a hostile or broken peer gives an error.
	ApplyEntry(e *state.Entry) error
	// ForgetEntries empties the state of sub-flows that moved to another worker, without a trace in what AppendEntries tells.
	ForgetEntries(moved func(sub uint16) bool)
}

// SharedState is implemented by functions that keep state across flows which many workers may add to at once: counters,
// rates, sketches. Deltas are commutative and associative; whoever carries them makes each arrive once, by (worker, epoch, sequence).
type SharedState interface {
	// AppendShared appends what changed since the last call, nothing if nothing did.
	AppendShared(dst []byte) []byte
	// ApplyShared merges a delta of another instance.
	ApplyShared(data []byte) error
}

// Extent is a part of a packet.
type Extent uint8

// Extents, each containing the ones before it.
const (
	Nothing Extent = iota
	Headers        // link, network and transport headers; of ICMP errors the quotation too
	Full           // everything
)

// Affinity says which packets must meet at one worker for the function to be right.
type Affinity uint8

// Affinities. Two functions of one chain with different ones other than ByFlow contradict each other.
const (
	ByFlow    Affinity = iota // both directions of a 5-tuple
	ByInside                  // everything from or to one address on the inside
	ByOutside                 // everything from or to one address on the outside
)

// Needs is what a function reads and may change, and with it what a stage has to ship.
type Needs struct {
	Reads    Extent
	Writes   Extent // what Process may change in place; Full if lengths may change
	Flows    bool   // wants Packet.Flow
	Injects  bool   // may call Batch.Inject
	Affinity Affinity

	// Datagrams: it wants fragments to be of the flow, and to have the ports, of their datagram, as behind the kernel's defragmentation
	// (packet.Info.Learned). Those for which that can't be found out it never sees.
	Datagrams bool

	// Translates: it rewrites addresses or ports, so connections are other flows on its two sides.
	Translates bool
}

// Merge returns the needs of a stage that has functions with needs n and m.
func (n Needs) Merge(m Needs) Needs {
	n.Reads = max(n.Reads, m.Reads)
	n.Writes = max(n.Writes, m.Writes)
	n.Flows = n.Flows || m.Flows
	n.Injects = n.Injects || m.Injects
	n.Affinity = max(n.Affinity, m.Affinity)
	n.Datagrams = n.Datagrams || m.Datagrams
	n.Translates = n.Translates || m.Translates
	return n
}
