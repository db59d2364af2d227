// Package detect decides which rules match: compiled rules, their prefilter groups, the evaluation of what a rule asks of
// a buffer, and the queue of matches of one packet with its actions and thresholds.
//
// It knows packets, flows and transactions only as views that its caller fills; who reassembles streams and parses
// protocols is not its concern. Words: a signature is a compiled rule; its number is its place in the order of
// trial (actions, users of flowbits, priority, file order); a candidate is a signature that the prefilter found.
package detect
