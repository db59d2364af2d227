// Package loadbalance spreads connections to one address over backends, at layer 4. README.md has the options.
package loadbalance

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "loadbalance", Doc: "spreads connections to one address over backends (Maglev hashing)", New: New})
}

// Options are what granule.yaml may say.
type Options struct {
	Address  netip.Addr `yaml:"address"`
	Port     uint16     `yaml:"port"`     // 0 is every port
	Protocol string     `yaml:"protocol"` // tcp or udp
	Clients  string     `yaml:"clients"`  // the side that clients are on
	Sticky   string     `yaml:"sticky"`   // flow or client
	Backends []Backend  `yaml:"backends"`
}

// Backend is one server.
type Backend struct {
	Address netip.Addr `yaml:"address"`
	Port    uint16     `yaml:"port"`   // 0 is the port that was asked for
	Weight  *int       `yaml:"weight"` // share of new connections, from 0; 1 if absent
	Up      *bool      `yaml:"up"`     // false: no new connections, and those it had go elsewhere; true if absent
}

// Balancer sends connections to backends.
type Balancer struct {
	service  netip.AddrPort
	addr     []byte
	proto    uint8
	clients  nf.Side
	byClient bool
	backends []backend
	table    []uint16 // nil: no backend has a share
	seed     uint64
	records  *translate.Table
	flows    *state.Table

	translated, passed, refused, moved int64
}

type backend struct {
	name        string
	addr        []byte
	port        uint16
	up          bool
	connections int64
}

// New makes a Balancer from its options.
func New(s nf.Setup) (nf.NF, error) {
	o := Options{Protocol: "tcp", Clients: "outside", Sticky: "flow"}
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	var bad nf.Problems
	say := func(key, format string, a ...any) {
		file, line, column := s.Options.Pos(key)
		bad = append(bad, nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)})
	}
	l := &Balancer{service: netip.AddrPortFrom(o.Address, o.Port), seed: s.Seed, records: translate.New(s.Flows), flows: s.Flows}
	if !o.Address.IsValid() {
		say("address", "no address; expected the one that clients connect to")
	}
	l.addr = o.Address.AsSlice()
	switch o.Protocol {
	case "tcp":
		l.proto = packet.ProtoTCP
	case "udp":
		l.proto = packet.ProtoUDP
	default:
		say("protocol", "protocol is %q; expected tcp or udp", o.Protocol)
	}
	switch o.Clients {
	case "inside":
		l.clients = nf.Inside
	case "outside":
		l.clients = nf.Outside
	default:
		say("clients", "clients is %q; expected inside or outside", o.Clients)
	}
	switch o.Sticky {
	case "flow":
	case "client":
		l.byClient = true
	default:
		say("sticky", "sticky is %q; expected flow or client", o.Sticky)
	}
	l.setBackends(&o, say)
	if bad != nil {
		return nil, bad
	}
	return l, nil
}

func (l *Balancer) setBackends(o *Options, say func(key, format string, a ...any)) {
	if len(o.Backends) == 0 || len(o.Backends) > 512 {
		say("backends", "%d backends; expected 1 to 512", len(o.Backends))
		return
	}
	var names []string
	var weights []int
	for i, b := range o.Backends {
		if !b.Address.IsValid() || b.Address.Is4() != o.Address.Is4() {
			say("backends", "backend %d: address %v; expected one of the same family as address", i+1, b.Address)
			return
		}
		weight := 1
		if b.Weight != nil {
			weight = *b.Weight
		}
		if weight < 0 || weight > 100 {
			say("backends", "backend %d: weight is %d; expected 0 to 100", i+1, weight)
			return
		}
		up := b.Up == nil || *b.Up
		name := netip.AddrPortFrom(b.Address, b.Port).String()
		for _, other := range names {
			if name == other {
				say("backends", "backend %d: %s is there twice; give it a weight", i+1, name)
				return
			}
		}
		l.backends = append(l.backends, backend{name: name, addr: b.Address.AsSlice(), port: b.Port, up: up})
		if !up {
			weight = 0
		}
		names, weights = append(names, name), append(weights, weight)
	}
	l.table = maglev(names, weights, l.seed)
}

// Needs: both flows of a connection have the client's address in common.
func (l *Balancer) Needs() nf.Needs {
	n := nf.Needs{Reads: nf.Headers, Writes: nf.Headers, Flows: true, Translates: true, Affinity: nf.ByOutside}
	if l.clients == nf.Inside {
		n.Affinity = nf.ByInside
	}
	return n
}

// Process sends what clients send to a backend, and gives the answers the address that clients know.
func (l *Balancer) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		if r := l.records.Of(p.Flow); r != nil && (r.Field == translate.Src || l.alive(p, r)) {
			l.records.Rewrite(b, i)
			l.translated++
			continue
		}
		if p.From != l.clients || !l.serves(p) {
			l.passed++
			continue
		}
		if !l.open(b, i, p) {
			l.refused++
			b.Drop(i, nf.DropNoBackend)
		}
	}
}

// alive reports whether the connection's backend is still one; if it is not, the connection is forgotten.
func (l *Balancer) alive(p *nf.Packet, r *translate.Record) bool {
	if n := int(r.Tag); n < len(l.backends) && l.backends[n].up && string(l.backends[n].addr) == string(r.Address()) {
		return true
	}
	for n := range l.backends { // another configuration may list the same backend elsewhere
		if x := &l.backends[n]; x.up && string(x.addr) == string(r.Address()) && (x.port == 0 || x.port == r.Port) {
			r.Tag = uint32(n)
			return true
		}
	}
	l.records.Forget(p.Flow)
	l.moved++
	return false
}

// serves reports whether the packet is for the service. Fragments are: they are refused, since later ones could not follow the first.
func (l *Balancer) serves(p *nf.Packet) bool {
	if p.Kind == packet.NotIP || p.Proto != l.proto || string(p.Dst(p.Data)) != string(l.addr) {
		return false
	}
	return p.Frag || p.HasL4 && (l.service.Port() == 0 || p.DstPort == l.service.Port())
}

func (l *Balancer) open(b *nf.Batch, i uint16, p *nf.Packet) bool {
	if l.table == nil || p.Flow == nf.NoFlow || p.Frag {
		return false
	}
	n := l.table[l.hash(p)%tableSize]
	x := &l.backends[n]
	port := x.port
	if port == 0 {
		port = p.DstPort
	}
	there := translate.Record{Port: port, Field: translate.Dst, Size: uint8(len(x.addr)), Tag: uint32(n)}
	back := translate.Record{Port: p.DstPort, Field: translate.Src, Size: uint8(len(l.addr))}
	copy(there.Addr[:], x.addr)
	copy(back.Addr[:], l.addr)
	key, _ := packet.KeyOf(&p.Key, x.addr, p.Src(p.Data), port, p.SrcPort, p.Proto)
	if !l.records.Pair(b, p.Flow, there, &key, back, p.Time) {
		return false
	}
	x.connections++
	l.records.Rewrite(b, i)
	l.translated++
	return true
}

// hash is the same for all that has to go to one backend.
func (l *Balancer) hash(p *nf.Packet) uint64 {
	a := p.Src(p.Data)
	h := l.seed
	for len(a) > 0 {
		h = mix(h, uint64(binary.BigEndian.Uint32(a))^0xe7037ed1a0b428db)
		a = a[4:]
	}
	if !l.byClient {
		h = mix(h, uint64(p.SrcPort)<<16|uint64(p.DstPort)^0x589965cc75374cc3)
	}
	return mix(h, 0x1d8e4e27c47d124f)
}

// Translate implements nf.Translator.
func (l *Balancer) Translate(frame []byte, in *packet.Info, _ nf.Side, _ int64) bool {
	l.records.Frame(frame, in)
	return true
}

// Report tells the counters, and how many connections each backend was given.
func (l *Balancer) Report(r *nf.Report) {
	r.Counters["translated"] = l.translated
	r.Counters["passed"] = l.passed
	r.Counters["refused"] = l.refused
	r.Counters["moved"] = l.moved
	for i := range l.backends {
		r.Counters["connections_"+l.backends[i].name] = l.backends[i].connections
	}
}

// StateVersion is that of package translate.
func (l *Balancer) StateVersion() uint16 { return translate.Version }

// AppendFlow appends what the flow is rewritten to.
func (l *Balancer) AppendFlow(dst []byte, flow uint32) []byte { return l.records.Append(dst, flow) }

// ApplyFlow takes the flow over.
func (l *Balancer) ApplyFlow(flow uint32, data []byte) error { return l.records.Apply(flow, data) }

// ForgetFlow empties the flow's record.
func (l *Balancer) ForgetFlow(flow uint32) { l.records.Forget(flow) }
