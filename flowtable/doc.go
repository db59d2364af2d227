// Package flowtable is the gateway's table of flows: which flow a packet belongs to, and the ends of the two queues in
// which that flow's packets wait for their fate.
//
// A Table has one owner, a shard; it takes no lock, holds no pointers, and never grows. A flow costs an Entry of 96 bytes and 12
// to 24 bytes of directory. The directory is read first and is dense: eight slots a cache line, each with 31 bits of the key's hash, so
// a lookup that misses costs one cache miss and one that hits two or three.
//
// An entry is given up when its flow was idle for longer than Config.IdleNS, or when the table is full and it is the
// one idle longest among those looked at. An entry with packets in flight is never given up: their order hangs on
// it. If all that were looked at have packets in flight, Get returns None, and the packet joins the overflow entry of its sub-flow:
// flows that share one keep their order, and wait for each other. That costs latency and nothing else.
package flowtable
