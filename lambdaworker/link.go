package main

import (
	"sync/atomic"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

const (
	readChunk = 256 << 10
	// flushPackets is how many answered packets wait at most for the batches behind them that were read with them.
	flushPackets = 64
	flushBytes   = 64 << 10
)

// link is one connection to one shard of the gateway, and the pipeline that works for it. serve runs on its own goroutine;
// drain and leave are called from others.
type link struct {
	conn     *socket
	seal     *tlsrecord.Sealer
	in       *tlsrecord.Inbox
	pipeline *nf.Pipeline
	idle     time.Duration // how long the gateway may say nothing; 0: for ever

	out    []byte // frames to be sealed
	sealed []byte
	batch  wire.Batch
	packet wire.BatchPacket
	writer wire.ResultWriter
	order  []nf.Injection // scratch

	drainAt  atomic.Int64 // when the worker will be gone, ns since the Unix epoch; 0 until it drains
	leaving  atomic.Bool
	whole    bool      // every packet that passes goes back whole
	cut      bool      // a write ended half-way
	drained  bool      // Drain was sent
	retired  bool      // the gateway asked to leave
	answered int       // packets in out
	quiet    time.Time // since when the gateway has said nothing; zero if it did since the last look

	since  time.Time     // it serves
	waited time.Duration // for the gateway, of that time

	state    []byte // parts of an import that is not complete
	imported uint64 // bytes
	refused  uint64 // imports of which a function refused something
	refusal  string // what, the first time

	clock packetClock

	packets, batches, sent uint64
	reason                 Reason
	detail                 string
}

func newLink(c *socket, seal *tlsrecord.Sealer, in *tlsrecord.Inbox, p *nf.Pipeline, idle time.Duration) *link {
	return &link{
		conn: c, seal: seal, in: in, pipeline: p, idle: idle,
		out:    make([]byte, 0, 256<<10),
		sealed: make([]byte, 0, 320<<10),
		order:  make([]nf.Injection, 0, 2*nf.MaxBatch),
	}
}

// drain tells the gateway that this worker will be gone at t; it goes on answering.
func (l *link) drain(t time.Time) { l.drainAt.Store(max(t.UnixNano(), 1)) }

// leave ends serve within ioTimeout.
func (l *link) leave() { l.leaving.Store(true) }

// serve answers batches until the connection ends.
func (l *link) serve() {
	l.since = time.Now()
	l.frames() // the first batches may have come with the Welcome
	for l.reason == "" && l.flush() {
		if l.retired {
			if l.clock.newest > 0 { // flows that no other worker took over are at their end
				l.events(l.pipeline.Flush(l.clock.newest))
			}
			l.end(ReasonRetired, "")
			break
		}
		l.read()
	}
	l.goodbye()
	l.conn.close()
}

// end notes the first reason only.
func (l *link) end(r Reason, detail string) {
	if l.reason == "" {
		l.reason, l.detail = r, detail
	}
}
