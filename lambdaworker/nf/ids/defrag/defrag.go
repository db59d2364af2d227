package defrag

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/arena"
)

// Config is how a Defragmenter works.
type Config struct {
	Arena     *arena.Arena // where fragments wait
	Datagrams int          // put together at once (1024); the oldest gives way
	Fragments int          // waiting fragments of all datagrams together (8192)
	Timeout   int64        // ns after the last fragment of a datagram until it is given up (60 s)
	MinTTL    uint8        // fragments with a lower TTL or hop limit are not taken (0)
}

// Defragmenter puts datagrams together. It is used by one goroutine.
type Defragmenter struct{ cfg Config }

// New makes a defragmenter.
func New(cfg Config) *Defragmenter { return &Defragmenter{cfg: cfg} }

// Add takes a fragment (in.Frag is set). When it completes its datagram, frame is the whole: the link header of the fragment,
// its IP header with lengths, fragment fields and IPv4 checksum put right (the IPv6 fragment header is taken out), and all
// data; valid until the next Add. info is its parse.
func (d *Defragmenter) Add(in *packet.Info, data []byte, time int64) (frame []byte, info *packet.Info, ok bool) {
	return nil, nil, false
}

// Stats are counters of a Defragmenter since its start.
type Stats struct {
	Fragments uint64
	Datagrams uint64 // put together
	Overlaps  uint64
	TimedOut  uint64
	Evicted   uint64 // gave way because Datagrams, Fragments or the arena were used up
	Bad       uint64 // fragments whose offsets or lengths can't be
}

// Stats returns the counters.
func (d *Defragmenter) Stats() Stats { return Stats{} }
