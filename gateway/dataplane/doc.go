// Package dataplane is the way of a packet through the gateway. Read its files in this order:
//
//	shard.go     one turn of the loop: what is done, in which order
//	asking.go    whether to ask again, or to sleep
//	receive.go   1 receive a burst   2 parse   3 bypass or place in a sub-flow   4 find the flow   5 park in a slot
//	subflow.go   which sub-flow that is, and which shard is its home
//	dispatch.go  6 ship to the worker that has the sub-flow, or wait for one
//	complete.go  7 take verdicts and state deltas   8 retire in flow order
//	send.go      9 send out of the other port
//	settle.go    what is late is settled by policy
//	placement.go which worker has which sub-flow, and what happens when a worker is lost
//	replica.go   a successor is told what its predecessor knew, before its first packet
//	deaths.go    what happens to a packet that workers die with
//
// A shard is one locked OS thread. It owns a queue of both ports, a flow table, a slot table and its connections to
// workers; nothing of a packet leaves it, so nothing is locked. What others need to know it publishes once a turn
// (ledger.go), what others want of it comes through a mailbox (mailbox.go).
//
// Words, and only these: a slot is one parked packet (slots.go). It is waiting until a connection has room for it, sent
// until its verdict comes, done until everything before it in its flow and direction is done, then it is retired: sent
// out or dropped, and free again. Whoever frees a slot names what became of the packet, so that at every moment
//
//	received + injected = forwarded + bypassed + dropped by reason + in flight
package dataplane
