// Package stream follows TCP sessions and puts their bytes in order for inspection.
//
// # How the engine uses it
//
// For each TCP packet: Read fills a Segment, Packet judges it. Then, for the opposite direction first and the packet's own
// after it, Next hands out what is new for the parsers, piece by piece, and Raw what rules on the bare stream look at. At the
// end of a flow (timeout, end of capture) Flush releases what was still waiting, and Next and Raw are called once more.
//
// # Modes
//
// As a watcher (Config.Inline false) bytes are handed out when the receiver has acknowledged them, as Suricata does: only then is it
// known which of several versions of a byte it took. Inline, bytes are handed out as they arrive in order; the first version of a
// byte is the only one, and a later segment that says otherwise is rewritten in place (Result.Rewritten) to what was inspected.
//
// # Overlaps
//
// One target policy, that of BSD and Windows (Suricata's default): where a segment overlaps one that is still
// waiting, the new bytes win if the new segment starts before the old one, else the old bytes stay. Bytes already handed out never change.
//
// Urgent data is inspected in its place in the stream, as receivers with SO_OOBINLINE have it; Result.Events tells of it.
//
// # Sessions
//
// A RST ends a session only with exactly the next sequence number. A SYN after the end begins another session on the same
// 5-tuple (Result.New). Bytes of a SYN count if it asks for TCP Fast Open and the server acknowledges them. A segment that fails
// a check (windows, acknowledgement, PAWS) is not taken, and says so in Result.Events.
//
// # Memory
//
// A flow is a fixed record of about 250 bytes. Bytes that wait (out of order, not acknowledged, or kept for Raw) live in
// the shared Arena, one buffer per direction; segments that wait are records of a pool of fixed size. When either is used
// up the segment is not kept, which is counted and becomes a gap when the other side acknowledges it.
package stream
