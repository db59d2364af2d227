package ratelimit

import (
	"fmt"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// FlowLimiter holds each flow to a rate.
type FlowLimiter struct {
	limiter
	flows   *state.Table
	buckets []bucket // by flow
}

// Needs implements nf.NF.
func (l *FlowLimiter) Needs() nf.Needs { return nf.Needs{Reads: nf.Headers, Flows: true} }

// Process lets packets pass as long as their flow's bucket holds enough.
func (l *FlowLimiter) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		if !l.from[p.From&1] || p.Kind == packet.NotIP || p.Flow == nf.NoFlow {
			continue
		}
		k := &l.buckets[p.Flow]
		if l.pass(k, p) {
			b.Touch(p.Flow)
			continue
		}
		b.Drop(i, nf.DropRate)
		if l.tell(b, k, p, func(line []byte) []byte { return append(line, "flow"...) }) {
			b.Touch(p.Flow)
		}
	}
}

// Report adds the flows that were limited most.
func (l *FlowLimiter) Report(r *nf.Report) {
	l.limiter.Report(r)
	list := []Limited{}
	for flow := range l.buckets {
		if k := &l.buckets[flow]; k.limited > 0 {
			list = worst(list, k.limited, func() string {
				lower, higher, proto := (*packet.Key)(l.flows.Key(uint32(flow))).Endpoints()
				return fmt.Sprintf("%v %v protocol %d", lower, higher, proto)
			})
		}
	}
	r.Top = list
}

// StateVersion is 2: that of a bucket.
func (l *FlowLimiter) StateVersion() uint16 { return 2 }

// AppendFlow appends the flow's bucket.
func (l *FlowLimiter) AppendFlow(dst []byte, flow uint32) []byte {
	if k := &l.buckets[flow]; k.full != 0 || k.told != 0 {
		dst = k.append(dst)
	}
	return dst
}

// ApplyFlow takes the flow's bucket over.
func (l *FlowLimiter) ApplyFlow(flow uint32, data []byte) error {
	k, err := decode(data)
	if err == nil {
		l.buckets[flow] = k
	}
	return err
}

// ForgetFlow empties the flow's state.
func (l *FlowLimiter) ForgetFlow(flow uint32) { l.buckets[flow] = bucket{} }
