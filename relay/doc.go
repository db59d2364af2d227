// Package relay is the gateway's side of the connections to its workers.
//
// A Listener accepts, authenticates and counts on goroutines of its own, off the packet path, and hands each joined
// connection over as a Conn. A Conn belongs to one shard of the data plane, which drives it from its own epoll: no call
// blocks, none allocates, and every outcome is a byte.
//
//	Room, Add ... Add, Flush            packets go out in batches
//	Read(h)                             verdicts, state, events come back
//	Outstanding                         what a dead connection still owed
//
// The frames are those of package wire, protected as package record does it.
package relay
