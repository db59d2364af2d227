package main

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/relay/record"
	"github.com/granule-nf/granule/relay/wire"
)

const (
	readGulp = 256 << 10
	// glance is how often a link that hears nothing looks up, and how stale its read deadline may be: setting one for each
	// read costs as much as a small batch.
	glance = 500 * time.Millisecond
	// flushPackets is how many answered packets wait at most for the batches behind them that were read with them.
	flushPackets = 64
	flushBytes   = 64 << 10
)

// link is one connection to one shard of the gateway, and the pipeline that works for it. serve runs on its own goroutine;
// drain and leave are called from others.
type link struct {
	conn     net.Conn
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
	whole    bool // every packet that passes goes back whole
	cut      bool // a write ended half-way
	drained  bool // Drain was sent
	retired  bool // the gateway asked to leave
	answered int  // packets in out
	deadline time.Time
	heard    time.Time

	state    []byte // parts of an import that is not complete
	imported uint64 // bytes
	refused  uint64 // imports of which a function refused something
	refusal  string // what, the first time

	packets, batches, sent uint64
	reason                 Reason
	detail                 string
}

func newLink(c net.Conn, seal *record.Sealer, in *record.Inbox, p *nf.Pipeline, idle time.Duration) *link {
	return &link{
		conn: c, seal: seal, in: in, pipeline: p, idle: idle,
		out:    make([]byte, 0, 256<<10),
		sealed: make([]byte, 0, 320<<10),
		order:  make([]nf.Injection, 0, 2*nf.MaxBatch),
	}
}

// drain tells the gateway that this worker will be gone at t; it goes on answering.
func (l *link) drain(t time.Time) {
	l.drainAt.Store(max(t.UnixNano(), 1))
	_ = l.conn.SetReadDeadline(time.Unix(1, 0)) // wakes a read; serve sets the deadline before it looks at drainAt
}

// leave ends serve soon.
func (l *link) leave() {
	l.leaving.Store(true)
	_ = l.conn.SetDeadline(time.Unix(1, 0))
}

// serve answers batches until the connection ends.
func (l *link) serve() {
	_ = l.conn.SetDeadline(time.Time{}) // that of the join
	l.heard = time.Now()
	l.frames() // the first batches may have come with the Welcome
	for l.reason == "" && l.flush() {
		if l.retired {
			l.end(ReasonRetired, "")
			break
		}
		l.read()
	}
	l.goodbye()
	_ = l.conn.Close()
}

// read waits for the gateway, at most until it is time to look up.
func (l *link) read() {
	now := time.Now()
	if l.deadline.Sub(now) < glance {
		l.deadline = now.Add(2 * glance)
		_ = l.conn.SetReadDeadline(l.deadline)
		if l.idle > 0 { // a gateway that hangs goes on acknowledging, but takes nothing
			_ = l.conn.SetWriteDeadline(l.deadline.Add(l.idle))
		}
	}
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
	n, err := l.conn.Read(l.in.Space())
	if n > 0 {
		l.heard = now
		fault := l.in.Filled(n)
		l.frames() // those that came before the fault, too
		switch fault {
		case record.FaultNone:
		case record.FaultClosed:
			l.end(ReasonClosed, "")
		default:
			l.end(ReasonFormat, "record: "+fault.String())
		}
		return
	}
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.deadline = time.Time{}
		if l.idle > 0 && time.Since(l.heard) > l.idle {
			l.end(ReasonIdle, "nothing from the gateway for "+l.idle.String())
		}
	default:
		l.end(ReasonLost, err.Error())
	}
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
	n, err := l.conn.Write(l.sealed)
	l.sent += uint64(n)
	l.cut = n < len(l.sealed)
	switch {
	case l.seal.Worn():
		l.end(ReasonFailed, "record: "+record.FaultWorn.String())
	case err != nil && l.leaving.Load():
		l.end(ReasonDeadline, "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		l.end(ReasonIdle, "the gateway took nothing for "+l.idle.String())
	case err != nil:
		l.end(ReasonLost, err.Error())
	default:
		return true
	}
	return false
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
	_ = l.conn.SetWriteDeadline(time.Now().Add(quitMargin / 2))
	l.sealed = l.seal.Close(l.seal.Append(l.sealed[:0], l.out))
	n, _ := l.conn.Write(l.sealed)
	l.sent += uint64(n)
}

// end notes the first reason only.
func (l *link) end(r Reason, detail string) {
	if l.reason == "" {
		l.reason, l.detail = r, detail
	}
}
