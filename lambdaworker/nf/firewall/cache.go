package firewall

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
)

// The verdict cache holds, for each flow and direction, the verdict of its last packet and the counters it passed. The
// same is right for the next packet if no rule that was looked at asks for what may differ between them: addresses, ports and
// protocol are the flow's own, ct state and the port of arrival are compared, and so are TCP flags where some rule asked for
// them. Anything else (limit, log, reject, ttl, length, ...) keeps the packet's path out of the cache. Counters are
// counted for every packet.

// cached is what happened to the last packet of a flow and direction. The zero value holds for no packet.
type cached struct {
	like     uint32 // alike of that packet
	ignored  uint32 // bits of like that need not be equal
	counters [program.PathCounters]int32
	n        uint8
	verdict  nf.Verdict
}

// alike joins what has to be equal in packets of one verdict, besides the flow. It is not 0.
func alike(p *nf.Packet, state uint8) uint32 {
	return 1<<24 | uint32(p.TCPFlags)<<16 | uint32(p.From)<<8 | uint32(state)
}

const ignoreFlags = 0xff << 16

type cache [][2]cached

// cacheable reports whether p has nothing about it that its flow's other packets lack: whole ports, no fragment, no
// extension headers, not an error about another packet.
func cacheable(p *nf.Packet) bool {
	return p.Flow != nf.NoFlow && p.Problem == packet.OK && p.HasL4 && !p.Frag && (p.Proto == packet.ProtoTCP || p.Proto == packet.ProtoUDP) &&
		(p.Kind == packet.IPv4 || p.L4 == p.L3+40)
}

// entry returns the place of p in the cache.
func (c cache) entry(p *nf.Packet) *cached {
	d := 0
	if p.Reverse {
		d = 1
	}
	return &c[p.Flow][d]
}

// holds reports whether the entry is right for a packet of that state.
func (e *cached) holds(p *nf.Packet, state uint8) bool {
	return (alike(p, state)^e.like)&^e.ignored == 0
}

// store keeps what happened to p.
func (e *cached) store(p *nf.Packet, state uint8, path *program.Path, v nf.Verdict) {
	if path.Deps&program.DepAlways != 0 || path.N > program.PathCounters {
		e.like, e.ignored = 0, 0
		return
	}
	*e = cached{like: alike(p, state), counters: path.Counters, n: path.N, verdict: v}
	if path.Deps&program.DepFlags == 0 {
		e.ignored = ignoreFlags
	}
}
