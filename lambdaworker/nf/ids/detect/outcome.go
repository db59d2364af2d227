package detect

import (
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// Outcome is what all matches of a packet come to.
type Outcome struct {
	Alerts   []Match // to be told, in the order of trial; valid until the next packet
	Action   rule.Action
	By       *Signature // whose Action it is; nil if nothing is to be done
	Flow     bool       // the action is about the flow
	PassFlow bool       // nothing more of this flow is inspected
}

// maxAlerts is how many alerts one packet raises at most, as Suricata's packet-alert-max.
const maxAlerts = 15

// Finish sorts and judges the matches since the last call.
func (e *Engine) Finish(p *Packet, now int64, o *Outcome) {
	*o = Outcome{}
	if len(e.queue) == 0 {
		return
	}
	q := e.queue
	e.queue = e.queue[:0]
	slices.SortStableFunc(q, func(a, b Match) int { return int(a.Sig.num) - int(b.Sig.num) })
	out := q[:0]
	for _, m := range q {
		j := raise
		r := m.Sig.Rule
		if r.Filter != nil {
			j = e.limits.judge(m.Sig, r.Filter, p, now)
		}
		if j == raise && r.Limit != nil {
			j = e.limits.judge(m.Sig, r.Limit, p, now)
		}
		if j != raise {
			e.stats.Suppressed++
		}
		if j == ignore {
			continue
		}
		e.count(m.Sig, p.Info.IPLen)
		if o.By == nil && r.Action != rule.Alert {
			o.By, o.Action = m.Sig, r.Action
		}
		flow := m.Sig.flowAction(m.Stream)
		if r.Action == rule.Pass {
			o.PassFlow = o.PassFlow || flow
			break // the rules behind it are not heard
		}
		o.PassFlow = o.PassFlow || r.Bypass
		o.Flow = o.Flow || flow && r.Action.Drops()
		if j == raise && !r.NoAlert && len(out) < maxAlerts {
			out = append(out, m)
		}
	}
	o.Alerts = out
}

// AppendLimits appends what thresholds counted since the last call, as a delta for ApplyLimits.
func (e *Engine) AppendLimits(dst []byte) []byte { return e.limits.export(dst) }

// ApplyLimits adds a delta of another engine.
func (e *Engine) ApplyLimits(data []byte) error { return e.limits.merge(data) }
