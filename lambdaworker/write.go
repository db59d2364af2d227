package main

import (
	"time"

	"github.com/granule-nf/granule/relay/tlsrecord"
	"github.com/granule-nf/granule/relay/wire"
)

// flush seals what waits and writes it; it reports false when the connection has ended.
func (l *link) flush() bool {
	if len(l.out) == 0 {
		return true
	}
	l.sealed = l.seal.Append(l.sealed[:0], l.out)
	l.out, l.answered = l.out[:0], 0
	if l.seal.Worn() {
		l.end(ReasonFailed, "record: "+tlsrecord.FaultWorn.String())
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
		case !transient(errno):
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
