package loadbalance

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
)

// ping answers an echo request to a service's address, since nobody else has that address. It reports whether packet i was one.
func (l *Balancer) ping(b *nf.Batch, i uint16, p *nf.Packet, to translate.End) bool {
	request, reply := uint8(8), uint8(0)
	if p.Kind == packet.IPv6 {
		request, reply = 128, 129
	}
	if p.Frag || !p.HasL4 || !packet.IsEcho(p.Proto, p.ICMPType) || p.ICMPType != request || l.serviceOf(to, p.Kind, 0, true) < 0 {
		return false
	}
	// A stage that gets headers has of a long ping only its beginning. A shorter answer would be a wrong one.
	whole := int(p.Wire) == len(p.Data) && len(p.Data) <= len(l.reply)
	if whole && p.CheckL4(p.Data) != packet.Wrong {
		f := l.reply[:copy(l.reply[:], p.Data)]
		copy(f[0:6], p.Data[6:12])
		copy(f[6:12], p.Data[0:6])
		var in packet.Info
		packet.Parse(f, len(f), &in)
		src, dst := in.Src(f), in.Dst(f)
		for n := range src {
			src[n], dst[n] = dst[n], src[n]
		}
		h := f[in.L4:in.End]
		h[0] = reply
		h[2], h[3] = 0, 0
		if p.Kind == packet.IPv6 {
			packet.ICMPHeader(h).SetChecksum6(src, dst)
		} else {
			packet.ICMPHeader(h).SetChecksum()
		}
		b.Inject(i, p.From, f)
		l.pings++
	}
	b.Drop(i, nf.Answered)
	return true
}
