package detect

import (
	"cmp"
	"slices"

	"github.com/granule-nf/granule/lambdaworker/nf/ids/proto"
	"github.com/granule-nf/granule/lambdaworker/nf/ids/rule"
)

// portGroups are the signatures tried on packets of one protocol and direction, by the server's port: what is for other ports only is not
// looked for. Ports that the same signatures are for share a group; where that would make too many, those that see least traffic share
// one that has all signatures.
type portGroups struct {
	groups []packetGroups
	class  *[1 << 16]uint8 // group by port; nil where there is one group alone
}

// Groups that are always there.
const (
	restClass   = 0 // all signatures
	noPortClass = 1 // packets without ports, as fragments: signatures for any port
	ownClasses  = 2 // from here on: those of ports
)

// maxClasses bounds the groups of a protocol and direction.
const maxClasses = 16

// busyPorts have groups of their own before others do.
var busyPorts = [...]uint16{443, 80, 53, 8080, 22, 25, 445, 3389, 21, 143, 110}

// serverPorts returns the ports that a signature is for, at the server of packets in a direction; nil is any.
func (s *Signature) serverPorts(dir int) *rule.Ports {
	p := s.Rule.DstPort
	if proto.Dir(dir) == proto.ToClient {
		p = s.Rule.SrcPort
	}
	if s.Rule.Both || p.Any {
		return nil
	}
	return p
}

// classify decides which ports share groups.
func (g *portGroups) classify(sigs []*Signature, dir, protocol int) {
	g.groups = make([]packetGroups, 1)
	if protocol > 1 {
		return // neither TCP nor UDP
	}
	var key [1 << 16]uint64 // the same for ports that the same signatures are for
	any := true
	for _, s := range sigs {
		ports := s.serverPorts(dir)
		if ports == nil || s.Type == OfTx || !s.dirs[dir] || s.protos>>protocol&1 == 0 {
			continue
		}
		any = false
		h := (uint64(s.num) + 1) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		for _, span := range ports.Spans {
			for p := int(span.Lo); p <= int(span.Hi); p++ {
				key[p] += h * 0xbf58476d1ce4e5b9
			}
		}
	}
	if any {
		return
	}
	count := map[uint64]int{}
	for _, k := range key {
		count[k]++
	}
	for i, p := range busyPorts {
		count[key[p]] += (len(busyPorts) - i) << 16
	}
	keys := make([]uint64, 0, len(count))
	for k := range count {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b uint64) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	keys = keys[:min(len(keys), maxClasses-ownClasses)]
	g.groups = make([]packetGroups, ownClasses+len(keys))
	g.class = new([1 << 16]uint8)
	number := map[uint64]uint8{}
	for i, k := range keys {
		number[k] = uint8(ownClasses + i)
	}
	for p, k := range key {
		g.class[p] = number[k] // 0, restClass, where it has none
	}
	for i := range g.groups {
		g.groups[i].port = -1
	}
	for p := len(g.class) - 1; p >= 0; p-- {
		g.groups[g.class[p]].port = p
	}
}

// of returns the group for a packet.
func (g *portGroups) of(p *Packet) *packetGroups {
	switch in := p.Info; {
	case g.class == nil:
		return &g.groups[0]
	case !in.HasPorts || in.Frag:
		return &g.groups[noPortClass]
	case p.Dir == proto.ToClient:
		return &g.groups[g.class[in.SrcPort]]
	default:
		return &g.groups[g.class[in.DstPort]]
	}
}

// add enters a signature into the groups of its ports.
func (g *portGroups) add(e *Engine, s *Signature, dir int, p fastPattern, at int) {
	ports := s.serverPorts(dir)
	for i := range g.groups {
		q := &g.groups[i]
		switch { // a port stands for all of its group
		case g.class == nil, i == noPortClass && ports == nil, i == restClass && q.port >= 0, i >= ownClasses && (ports == nil || ports.Contains(uint16(q.port))):
			q.add(e, s, p, at)
		}
	}
}
