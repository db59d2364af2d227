// Package ids is the network function `ids`: it tries Suricata's rules on packets, TCP streams and the transactions of
// HTTP/1, DNS and TLS, and in mode ips it drops what drop and reject rules hit.
//
// The way of a packet, in the order of the files:
//
//	checksum.go   is it what its sender sent?
//	fragment.go   fragments are put together and inspected as a whole
//	packet.go     which direction of which flow; TCP goes through stream.Tracker
//	feed.go       what the stream hands out goes to the protocol's parser
//	inspect.go    rules on the packet and the stream, then on each transaction: package detect
//	verdict.go    what the matches come to: alerts, drops, a flow that stays dropped
//	reject.go     the RST or ICMP error of a reject rule
//
// As a watcher (mode ids) a stream is inspected when its receiver has acknowledged it, in the next packet of its
// direction, as Suricata does; what still waits at the end of a session is inspected then. In mode ips it is
// inspected as it arrives.
package ids
