// Package nf is what a network function is made of, and how functions run one after the other.
//
// A Pipeline holds the functions of one stage. It takes a Batch of packets, parses each once, finds each packet's flow, and shows the batch to
// every NF, a run of packets from one side at a time: those from inside in the order of the functions, those from outside in reverse; packets that one
// NF drops are not shown to the next. Behind an NF that translates addresses packets have other flows. Functions have
// no clock and no randomness of their own: time comes with the batch and the seed with the chain, so that a replay
// repeats. The same Pipeline runs in a worker, in `granule replay` and in benchmarks.
//
// Writing a function: a folder under this package with New registered by Register, imported for effect in package
// all; see counter for the smallest one.
package nf
