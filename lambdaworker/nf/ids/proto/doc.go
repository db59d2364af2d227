// Package proto has what the parsers of the IDS have in common: the two directions of a flow, the application protocols,
// and the detection of which one a flow speaks.
package proto
