package main

import (
	"sync/atomic"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/record"
	"github.com/granule-nf/granule/relay/wire"
)

const (
	readGulp = 256 << 10
	// flushPackets is how many answered packets wait at most for the batches behind them that were read with them.
	flushPackets = 64
	flushBytes   = 64 << 10
)

// link is one connection to one shard of the gateway, and the pipeline that works for it. serve runs on its own goroutine;
// drain and leave are called from others.
type link struct {
	conn     *socket
	seal     *record.Sealer
	in       *record.Inbox
	pipeline *nf.Pipeline
	idle     time.Duration // 0: silence is no reason

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

	state    []byte // parts of an import that is not complete
	imported uint64 // bytes
	refused  uint64 // imports of which a function refused something
	refusal  string // what, the first time

	silence silence

	packets, batches, sent uint64
	reason                 Reason
	detail                 string
}

func newLink(c *socket, seal *record.Sealer, in *record.Inbox, p *nf.Pipeline, idle time.Duration) *link {
	return &link{
		conn: c, seal: seal, in: in, pipeline: p, idle: idle,
		out:    make([]byte, 0, 256<<10),
		sealed: make([]byte, 0, 320<<10),
		order:  make([]nf.Injection, 0, 2*nf.MaxBatch),
	}
}

// drain tells the gateway that this worker will be gone at t; it goes on answering.
func (l *link) drain(t time.Time) { l.drainAt.Store(max(t.UnixNano(), 1)) }

// leave ends serve within a glance.
func (l *link) leave() { l.leaving.Store(true) }

// serve answers batches until the connection ends.
func (l *link) serve() {
	l.frames() // the first batches may have come with the Welcome
	for l.reason == "" && l.flush() {
		if l.retired {
			l.end(ReasonRetired, "")
			break
		}
		l.read()
	}
	l.goodbye()
	l.conn.close()
}

// read waits for the gateway, at most until it is time to look up.
func (l *link) read() {
	if at := l.drainAt.Load(); at != 0 && !l.drained {
		l.drained = true
		l.out = wire.AppendTime(l.out, wire.TypeDrain, at, credit)
		if !l.flush() {
			return
		}
	}
	if l.leaving.Load() {
		l.end(ReasonDeadline, "")
		return
	}
	n, errno := l.conn.read(l.in.Space())
	switch {
	case n > 0:
		l.quiet = time.Time{}
		fault := l.in.Filled(n)
		l.frames() // those that came before the fault, too
		switch fault {
		case record.FaultNone:
		case record.FaultClosed:
			l.end(ReasonClosed, "")
		default:
			l.end(ReasonFormat, "record: "+fault.String())
		}
	case passing(errno):
		if l.idle > 0 && l.silentFor() > l.idle {
			l.end(ReasonIdle, "nothing from the gateway for "+l.idle.String())
		}
	case errno != 0:
		l.end(ReasonLost, "read: "+errno.Error())
	default:
		l.end(ReasonLost, "the gateway closed the connection without a word")
	}
}

// silentFor is how long reads have found nothing.
func (l *link) silentFor() time.Duration {
	if l.quiet.IsZero() {
		l.quiet = time.Now()
	}
	return time.Since(l.quiet)
}

// frames handles every whole frame that has been read.
func (l *link) frames() {
	for l.reason == "" {
		b := l.in.Bytes()
		if len(b) < wire.HeaderSize {
			return
		}
		h, fault := wire.ParseHeader(b)
		if fault == wire.FaultNone && h.Type.Known() && !h.Type.FromGateway() {
			fault = wire.FaultDirection
		}
		size := wire.HeaderSize + int(h.Length)
		if fault == wire.FaultNone {
			if len(b) < size {
				l.in.Need(size)
				return
			}
			fault = l.frame(h, b[wire.HeaderSize:size])
		}
		if fault != wire.FaultNone {
			l.out = wire.AppendBye(l.out, wire.ByeFormat, fault)
			l.end(ReasonFormat, "frame: "+fault.String())
			return
		}
		l.in.Consume(size)
		if l.answered >= flushPackets || len(l.out) >= flushBytes {
			l.flush()
		}
	}
}

func (l *link) frame(h wire.Header, body []byte) wire.Fault {
	switch h.Type {
	case wire.TypeBatch:
		return l.work(h, body)
	case wire.TypePing:
		t, fault := wire.ParseTime(body)
		if fault == wire.FaultNone {
			l.out = wire.AppendTime(l.out, wire.TypePong, t, credit)
		}
		return fault
	case wire.TypeReportRequest:
		l.report(h.Sequence)
	case wire.TypeRetire:
		l.retired = true
	case wire.TypeBye:
		reason, theirs, fault := wire.ParseBye(body)
		if fault == wire.FaultNone {
			l.farewell(reason, theirs)
		}
		return fault
	case wire.TypeState:
		l.importState(body, h.Flags&wire.FlagMore != 0)
	}
	return wire.FaultNone
}

func (l *link) farewell(reason wire.ByeReason, theirs wire.Fault) {
	switch reason {
	case wire.ByeDone:
		l.end(ReasonClosed, "")
	case wire.ByeFormat:
		l.end(ReasonFormat, "the gateway rejected a frame: "+theirs.String())
	default:
		l.end(ReasonClosed, "the gateway said "+reason.String())
	}
}

// flush seals what waits and writes it; it reports false when the connection has ended.
func (l *link) flush() bool {
	if len(l.out) == 0 {
		return true
	}
	l.sealed = l.seal.Append(l.sealed[:0], l.out)
	l.out, l.answered = l.out[:0], 0
	if l.seal.Worn() {
		l.end(ReasonFailed, "record: "+record.FaultWorn.String())
		return false
	}
	var stuck time.Time
	for rest := l.sealed; len(rest) > 0; {
		n, errno := l.conn.write(rest)
		l.sent += uint64(n)
		rest = rest[n:]
		if errno == 0 {
			stuck = time.Time{}
			continue
		}
		if stuck.IsZero() {
			stuck = time.Now()
		}
		l.cut = true // should this be the end
		switch {
		case !passing(errno):
			l.end(ReasonLost, "write: "+errno.Error())
		case l.leaving.Load():
			l.end(ReasonDeadline, "")
		case l.idle > 0 && time.Since(stuck) > l.idle:
			l.end(ReasonIdle, "the gateway took nothing for "+l.idle.String())
		default:
			continue
		}
		return false
	}
	l.cut = false
	return true
}

// goodbye says why the connection ends, where the other side still listens.
func (l *link) goodbye() {
	if l.cut { // nothing can follow half a record
		return
	}
	switch l.reason {
	case ReasonRetired:
		l.out = wire.AppendBye(l.out, wire.ByeDone, wire.FaultNone)
	case ReasonDeadline:
		l.out = wire.AppendBye(l.out, wire.ByeDeadline, wire.FaultNone)
	case ReasonIdle:
		l.out = wire.AppendBye(l.out, wire.ByeIdle, wire.FaultNone)
	case ReasonFormat, ReasonFailed:
	default:
		return
	}
	l.sealed = l.seal.Close(l.seal.Append(l.sealed[:0], l.out))
	n, _ := l.conn.write(l.sealed) // as far as it goes at once, or nearly
	l.sent += uint64(n)
}

// end notes the first reason only.
func (l *link) end(r Reason, detail string) {
	if l.reason == "" {
		l.reason, l.detail = r, detail
	}
}
