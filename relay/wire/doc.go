// Package wire is what the gateway and its workers say to each other: frames on a connection, and the document that an
// invocation carries. SPEC.md beside it is the specification; this is its implementation.
//
// Nothing here does input or output. Encoders append to the caller's buffer, decoders check a whole frame once and then
// walk it in place; none of them allocates. How a peer broke the format is a Fault, one byte, to be counted.
package wire
