// Package dataplane is the way of a packet through the gateway. A walk from one port to the other reads its files in this order:
//
//	turn.go       one turn of the loop: what is done, in which order
//	receive.go    take a burst, classify it (package classify), look up its flows, park each packet in a slot
//	steering.go   a packet that arrived on another shard's queue goes to the one that has its flow (ring.go)
//	fragments.go  a fragment waits for the first one of its datagram (package fragment)
//	dispatch.go   ship to the worker that has the sub-flow
//	waiting.go    or wait until there is one, or until it has room
//	flush.go      write the batches
//	verdicts.go   take state, rewritten packets and verdicts: a packet goes on to the next stage, or is decided
//	outcome.go    how a packet ends: decided, retired in flow order, queued for the other port or discarded, freed
//	transmit.go   give the port what is queued for it
//
// Beside that walk:
//
//	overdue.go    what is late is resolved by policy
//	lost.go       a worker is lost: its packets are dispatched again (quarantine.go: those that may be the cause)
//	rights.go     what a worker may do to packets
//	placement.go  which worker has which sub-flow
//	transfer.go   a successor is given its predecessor's state (replica.go) before its first packet
//	control.go    what other goroutines ask of a shard; it comes through mailbox.go
//	stop.go       the end
//
// What they work on, each with one owner: ports.go, slots.go with queue.go, subflow.go, routes.go, connections.go, clock.go, poller.go,
// ledger.go. Shard (shard.go) is these put together.
//
// A shard is one locked OS thread. It owns a queue of both ports, a flow table, a slot table and its connections to
// workers; nothing of a packet leaves it, so nothing is locked. What others need to know it publishes once a turn
// (ledger.go), what others want of it comes through a mailbox (mailbox.go).
//
// Words: a slot is one parked packet. It is waiting until a connection has room for it, sent until its verdict comes, decided until
// everything before it in its flow and direction is, then it is retired: sent out or discarded, and free again. Whoever frees a slot
// names what became of the packet, so that at every moment
//
//	received + injected = forwarded + bypassed + dropped by reason + in flight
package dataplane
