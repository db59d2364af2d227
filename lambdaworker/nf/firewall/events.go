package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// mayTell reports whether one more line may be told at that time: `log` is bounded to log_rate lines a second, by the
// packets' time; the rest is counted. Drops are told by whoever runs the pipeline, for all functions alike.
func (f *Firewall) mayTell(now int64) bool {
	if f.options.LogRate == 0 || !f.limits[len(f.limits)-1].take(now, 0) {
		f.stats[eventsSuppressed]++
		return false
	}
	return true
}

// logEvent tells of a packet that met a `log`: an event of type firewall.
func (f *Firewall) logEvent(b *nf.Batch, i uint16, o *compiledOp) {
	p := &b.Packets[i]
	if !f.mayTell(p.Time) {
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

func appendInt(dst []byte, n int) []byte {
	if n >= 10 {
		dst = appendInt(dst, n/10)
	}
	return append(dst, '0'+byte(n%10))
}
