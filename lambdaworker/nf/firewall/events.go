package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// events bounds what the firewall tells: so many lines a second, by the packets' time; the rest is counted.
type events struct {
	room    bucket
	none    bool // log_rate: 0
	drops   bool
	skipped uint64
}

func newEvents(o *options) events {
	e := events{drops: o.LogDrops, none: o.LogRate == 0}
	if !e.none {
		e.room = newBucket(&limitSpec{rate: uint64(o.LogRate), period: 1e9, burst: uint64(o.LogRate)})
	}
	return e
}

// may reports whether one more line may be told at that time.
func (e *events) may(now int64) bool {
	if e.none || !e.room.take(now, 0) {
		e.skipped++
		return false
	}
	return true
}

// logEvent tells of a packet that met a `log`: an event of type firewall.
func (f *Firewall) logEvent(b *nf.Batch, i uint16, o *compiledOp) {
	p := &b.Packets[i]
	if !f.events.may(p.Time) {
		return
	}
	line := eve.Begin(b.Events.Room(), p, "firewall")
	line = append(line, `,"firewall":{"prefix":`...)
	line = eve.AppendString(line, o.log.prefix)
	if o.log.group >= 0 {
		line = append(line, `,"group":`...)
		line = appendInt(line, o.log.group)
	} else {
		line = append(line, `,"level":`...)
		line = eve.AppendString(line, o.log.level)
	}
	line = append(line, `,"file":`...)
	line = eve.AppendString(line, o.pos.file)
	line = append(line, `,"line":`...)
	line = appendInt(line, o.pos.line)
	line = append(line, '}')
	b.Events.Commit(eve.End(line))
}

// dropEvent tells of a packet that goes no further.
func (f *Firewall) dropEvent(b *nf.Batch, i uint16, d nf.Verdict) {
	p := &b.Packets[i]
	if !f.events.drops || !f.events.may(p.Time) {
		return
	}
	b.Events.Commit(eve.AppendDrop(b.Events.Room(), p, d, nil, &eve.Context{Tx: -1}))
}

func appendInt(dst []byte, n int) []byte {
	if n >= 10 {
		dst = appendInt(dst, n/10)
	}
	return append(dst, '0'+byte(n%10))
}
