// Package arena lends byte buffers out of one slab of fixed size.
//
// The parsers of a worker share one Arena, so that their memory has one bound: when it is used up, Append and Reserve
// say so and the caller gives something up by policy. Buffers are values without pointers; records that hold them cost
// the garbage collector nothing, and nothing is allocated after New. The operating system backs pages of the slab only
// when they are first written.
//
// It is a buddy allocator: blocks of 256 B to 1 MiB, each a power of two, split on demand and joined when freed.
package arena
