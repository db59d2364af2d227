package main

import (
	"time"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

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
	from := time.Now()
	n, errno := l.conn.read(l.in.Space())
	l.waited += time.Since(from)
	switch {
	case n > 0:
		l.quiet = time.Time{}
		fault := l.in.Filled(n)
		l.frames() // those that came before the fault, too
		switch fault {
		case tlsrecord.FaultNone:
		case tlsrecord.FaultClosed:
			l.end(ReasonClosed, "")
		default:
			l.end(ReasonFormat, "record: "+fault.String())
		}
	case transient(errno):
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
	case wire.TypeRelease:
		return l.release(body)
	case wire.TypeState:
		if h.Flags&wire.FlagUnseen != 0 {
			l.pipeline.Resync()
			return wire.FaultNone
		}
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
