package firewall

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// The verdict cache holds, for each flow and direction, the verdict of its last packet and the counters it passed. The
// same is right for the next packet if no rule that was looked at asks for what may differ between them: addresses, ports and
// protocol are the flow's own, ct state and the port of arrival are compared, and so are TCP flags where some rule asked for
// them. Anything else (limit, log, reject, ttl, length, ...) keeps the packet's path out of the cache. Counters are
// counted for every packet.

// dependency says what a verdict depended on besides the flow.
type dependency uint8

const (
	depFlags  dependency = 1 << iota // TCP flags
	depAlways                        // something that no two packets share for sure
)

// pathCounters is how many counters a path may pass and still be kept: it makes an entry 32 bytes, a flow's two 64.
const pathCounters = 5

// passage is what happened to the packet that is being judged.
type passage struct {
	counters [pathCounters]int32
	n        uint8
	deps     dependency
}

// cached is what happened to the last packet of a flow and direction. The zero value holds for no packet.
type cached struct {
	like     uint32 // alike of that packet
	ignored  uint32 // bits of like that need not be equal
	counters [pathCounters]int32
	n        uint8
	verdict  nf.Verdict
}

// alike joins what has to be equal in packets of one verdict, besides the flow. It is not 0.
func alike(p *nf.Packet, state uint8) uint32 {
	return 1<<24 | uint32(p.TCPFlags)<<16 | uint32(p.From)<<8 | uint32(state)
}

const ignoreFlags = 0xff << 16

type cache [][2]cached

func (f *Firewall) mark(d dependency) { f.path.deps |= d }

func (f *Firewall) depend(fl field) { f.path.deps |= dependsOn[fl] }

// dependsOn says which fields are not the flow's own.
var dependsOn = func() (d [numFields]dependency) {
	for fl := range d {
		switch field(fl) {
		case ip4Src, ip4Dst, ip6Src, ip6Dst, ip4Protocol, ip6NextHeader, metaL4Proto, metaNFProto, transportSrc, transportDst, ctState, vlanID,
			inSide, outSide, ip6HasFragment, ip4Version, ip6Version, metaProtocol:
		case tcpFlags:
			d[fl] = depFlags
		default:
			d[fl] = depAlways
		}
	}
	return d
}()

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
func (e *cached) store(p *nf.Packet, state uint8, path *passage, v nf.Verdict) {
	if path.deps&depAlways != 0 || path.n > pathCounters {
		e.like, e.ignored = 0, 0
		return
	}
	*e = cached{like: alike(p, state), counters: path.counters, n: path.n, verdict: v}
	if path.deps&depFlags == 0 {
		e.ignored = ignoreFlags
	}
}
