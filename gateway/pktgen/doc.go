// Package pktgen generates packets on one interface, through whatever is being tested, and takes them back on another: what
// `granule pktgen` does. It is a generator of its own because the kernel's pktgen is not in every kernel and neither receives
// nor measures delay.
//
// Words:
//
//	flow    one UDP 5-tuple; flows take turns, frame by frame
//	probe   what each frame carries behind its UDP header: magic, run, flow, sequence, time (probe.go)
//	end     one interface: what it sends and what it has received (end.go)
//	trial   one run of both ends for a time at a rate (RFC 2544 section 24)
//
// A frame that comes back is known by its probe, so loss, order, duplicates and delay are of single frames, and a foreign frame
// on the link is counted and not mistaken for one of ours. Both ends are AF_XDP sockets in this process: one clock stamps both.
package pktgen
