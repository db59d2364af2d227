package flowtable

import (
	"unsafe"

	"github.com/granule-nf/granule/ingress/packet"
)

// None is the index of no entry, and of no slot.
const None = ^uint32(0)

// Overflows is how many overflow entries a table has: one for each sub-flow.
const Overflows = 4096

// Entry is what the gateway knows about a flow. Seen, Gen and Key are the table's; the rest belongs to whoever owns the
// table, which finds it empty in a fresh entry: no queue, nothing in flight, all else zero.
type Entry struct {
	Key      packet.Key
	Seen     int64     // when its last packet came, ns
	Head     [2]uint32 // oldest slot of each direction, None if the queue is empty
	Tail     [2]uint32 // newest slot
	InFlight uint32    // slots in both queues; while it is not 0 the entry stays
	Gen      uint32    // differs each time the entry starts another flow
	SubFlow  uint16
	Chain    uint8
	Flags    uint8
	link     uint32 // next free entry, or inUse
	_        [8]byte
}

const inUse = None - 1

// The size of Entry is 96: one and a half cache lines. This fails to compile if it is not.
var _ = [1]struct{}{}[unsafe.Sizeof(Entry{})-96]

func (e *Entry) reset(key *packet.Key, now int64) {
	*e = Entry{Key: *key, Seen: now, Head: [2]uint32{None, None}, Tail: [2]uint32{None, None}, Gen: e.Gen + 1, link: inUse}
}
