// Package coordinator starts workers, gives them sub-flows, replaces them before their lifetime ends and when they die.
//
// It decides on one goroutine (coordinator.go) from what it is told: a worker's connections have joined, one was lost,
// an invocation returned, a worker announced its end, time passed. It forwards nothing: what it decides it publishes as a
// dataplane.Placement, which the shards adopt by themselves.
//
// A pool is one stage of a chain. It has seats; sub-flow s belongs to seat s mod seats. A worker that has joined sits down
// on an empty seat or stands by. When a seated worker is lost, or is about to end, the one standing by takes its seat: the
// shards send it what the other had not answered, and nothing is lost.
package coordinator
