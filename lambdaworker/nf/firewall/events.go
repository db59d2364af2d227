package firewall

import (
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
)

// allowLog reports whether one more line may be written at that time: `log` is bounded to log_rate lines a second, by the
// packets' time; the rest is counted. Drops are logged by whoever runs the pipeline, for all functions alike.
func (f *Firewall) allowLog(now int64) bool {
	if f.options.LogRate == 0 || !f.machine.Limits[len(f.machine.Limits)-1].Take(now, 0) {
		f.stats[eventsSuppressed]++
		return false
	}
	return true
}

// Logged tells of a packet that met a `log`: an event of type firewall.
func (f *Firewall) Logged(b *nf.Batch, i uint16, o *program.CompiledOp) {
	p := &b.Packets[i]
	if !f.allowLog(p.Time) {
		return
	}
	line := eve.Begin(b.Events.Room(), p, "firewall")
	line = append(line, `,"firewall":{"prefix":`...)
	line = eve.AppendString(line, o.Log.Prefix)
	if o.Log.Group >= 0 {
		line = append(line, `,"group":`...)
		line = appendInt(line, o.Log.Group)
	} else {
		line = append(line, `,"level":`...)
		line = eve.AppendString(line, o.Log.Level)
	}
	line = append(line, `,"file":`...)
	line = eve.AppendString(line, o.Pos.File)
	line = append(line, `,"line":`...)
	line = appendInt(line, o.Pos.Line)
	line = append(line, '}')
	b.Events.Commit(eve.End(line))
}

// SetMark implements program.Actions.
func (f *Firewall) SetMark(b *nf.Batch, i uint16, mark uint32) {
	if p := &b.Packets[i]; p.Flow != nf.NoFlow && f.view.Conn.Known {
		f.track.SetMark(p.Flow, mark)
	}
}

func appendInt(dst []byte, n int) []byte {
	if n >= 10 {
		dst = appendInt(dst, n/10)
	}
	return append(dst, '0'+byte(n%10))
}
