package dataplane

import (
	"github.com/granule-nf/granule/relay"
	"github.com/granule-nf/granule/relay/wire"
)

// Link is one connection to one worker, used by one shard. No call blocks or allocates. It is relay.Conn, or a test's
// stand-in for one; see there for what each call means.
type Link interface {
	FD() int
	Worker() uint32
	Tick(now int64)
	Room(carried int) bool
	Add(ref uint64, sub uint16, fromOutside bool, wire int, carried []byte, whole bool, time int64)
	AddFragment(ref uint64, sub uint16, fromOutside bool, wire int, upper *wire.Upper, carried []byte, whole bool, time int64)
	Flush() relay.Status
	WantWrite() bool
	Read(h relay.Handler) relay.Status
	RequestReport() bool
	LastHeard() int64
	OldestUnanswered() int64
	ImportState(part []byte, more bool) bool
	Release(subflows []uint16) bool
	Retire() bool
	Resync() bool
	Ping(mark int64) bool
	LastPong() int64
	Outstanding(f func(ref uint64))
	Reason() relay.Reason
	Close()
}
