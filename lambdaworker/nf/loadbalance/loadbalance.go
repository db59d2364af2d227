// Package loadbalance spreads connections to an address over backends, at layer 4. README.md has the options.
package loadbalance

import (
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "loadbalance", Doc: "spreads connections to an address over backends (Maglev hashing)", New: New})
}

const udpTimeout = 5 * time.Minute // as IPVS has it

// Balancer sends connections to backends.
type Balancer struct {
	services []service
	backends []backend // of all services
	clients  nf.Side
	seed     uint64
	sessions *translate.Table
	reply    [2048]byte // to a ping

	translated, passed, refused, moved, stateless, hairpins, pings, fragments int64
}

// service is an address that clients connect to.
type service struct {
	name     string
	end      translate.End
	kind     packet.Kind
	proto    uint8
	byClient bool
	first    int      // its first backend
	table    []uint16 // of backends, counted from first; nil: none has a share
}

type backend struct {
	name        string
	end         translate.End
	service     int
	up, drained bool
	connections int64 // it was given
	active      int64
}

// Needs: both flows of a connection have the client's address in common.
func (l *Balancer) Needs() nf.Needs {
	n := nf.Needs{Reads: nf.Headers, Writes: nf.Headers, Datagrams: true, Translates: true, Injects: true, Affinity: nf.ByOutside}
	if l.clients == nf.Inside {
		n.Affinity = nf.ByInside
	}
	return n
}

// Process sends what clients send to a backend, and gives the answers the address that clients know.
func (l *Balancer) Process(b *nf.Batch) {
	l.sessions.Begin(b.Packets[b.Live[0]].Time)
	l.sessions.Ahead(b)
	for _, i := range b.Live {
		p := &b.Packets[i]
		if p.Kind == packet.NotIP {
			l.passed++
			continue
		}
		x := l.sessions.Looked(i)
		if x.Class <= translate.Error {
			if id := l.sessions.FindLooked(p.From, x, p.Time); id != translate.None && l.goesOn(i, id, p, x.Class) {
				s := l.sessions.Session(id)
				l.write(b, i, p, x.Class, &s.Keys[p.From], &s.Keys[p.From^1])
				continue
			}
		}
		if p.From == l.clients {
			l.fromClient(b, i, p, x.Class, &x.Key)
		} else {
			l.fromServer(b, i, p, x.Class, &x.Key)
		}
	}
}

// Tick implements nf.Ticker.
func (l *Balancer) Tick(b *nf.Batch) { l.sessions.Sweep(b.Now) }

// Confirm implements nf.Confirmer.
func (l *Balancer) Confirm(b *nf.Batch) { l.sessions.Confirm(b) }

func (l *Balancer) write(b *nf.Batch, i uint16, p *nf.Packet, class translate.Class, was, now *translate.Key) {
	translate.Write(p.Data, &p.Info, p.From, class, was, now)
	b.Change(i, nf.Headers)
	l.translated++
}

// goesOn reports whether a packet belongs to its session still. A client's packet does not, and ends it, if its backend is gone, or if it begins another
// connection from the same port.
func (l *Balancer) goesOn(i uint16, id uint32, p *nf.Packet, class translate.Class) bool {
	s := l.sessions.Session(id)
	if class == translate.Error {
		return true
	}
	if p.From == l.clients {
		anew := p.Proto == packet.ProtoTCP && p.TCPFlags&(packet.SYN|packet.ACK) == packet.SYN && s.Closed()
		if n := int(s.Tag) - 1; n < 0 || !l.backends[n].up {
			l.moved++
			anew = true
		}
		if anew {
			l.sessions.End(id)
			return false
		}
	}
	l.sessions.Hit(i, id, p.From, &p.Info, p.Time)
	return true
}

// ends are the client's end of a key and the other one.
func (l *Balancer) ends(k *translate.Key) (client, server translate.End) {
	if l.clients == nf.Inside {
		return k.In(), k.Out()
	}
	return k.Out(), k.In()
}

// key joins them again.
func (l *Balancer) key(client, server translate.End, like *translate.Key) translate.Key {
	if l.clients == nf.Inside {
		client, server = server, client
	}
	return translate.KeyOf(server, client, like.Proto(), like.Kind(), like[5])
}

// serviceOf is the service that has an address; of a port and protocol, unless any will do. Without one it is -1.
func (l *Balancer) serviceOf(e translate.End, kind packet.Kind, proto uint8, any bool) int {
	for n := range l.services {
		v := &l.services[n]
		if v.kind == kind && v.end.SameAddress(e) && (any || v.proto == proto && (v.end.Port == 0 || v.end.Port == e.Port)) {
			return n
		}
	}
	return -1
}

// fromClient places a connection.
func (l *Balancer) fromClient(b *nf.Batch, i uint16, p *nf.Packet, class translate.Class, k *translate.Key) {
	to := translate.EndOf(p.Dst(p.Data), 0)
	if class != translate.Plain {
		if class == translate.Fragment && l.serviceOf(to, p.Kind, p.Proto, true) >= 0 {
			l.fragments++
			b.Drop(i, nf.DropFragment)
			return
		}
		l.passed++
		return
	}
	client, server := l.ends(k)
	n := l.serviceOf(server, p.Kind, p.Proto, false)
	if n < 0 {
		if !l.ping(b, i, p, server) {
			l.passed++
		}
		return
	}
	v := &l.services[n]
	if v.table == nil {
		l.refused++
		b.Drop(i, nf.DropNoBackend)
		return
	}
	at := v.first + int(v.table[l.hash(v, client, server)%tableSize])
	x := &l.backends[at]
	backend := x.end
	if backend.Port == 0 {
		backend.Port = server.Port
	}
	there := l.key(client, backend, k)
	id := l.open(i, p, k, &there, at)
	if id != translate.None {
		x.connections++
		x.active++
	} else if l.sessions.Find(p.From^1, &there, p.Time) != translate.None {
		l.refused++ // the client has this backend by another service from the same port: answers could not be told apart
		b.Drop(i, nf.DropNoBackend)
		return
	} else {
		l.stateless++ // the table is full of connections that live: the hash alone finds the same backend for the next packet
	}
	l.write(b, i, p, class, k, &there)
}

// open makes the session of a packet, whose key on the other side is there.
func (l *Balancer) open(i uint16, p *nf.Packet, k, there *translate.Key, at int) uint32 {
	var keys [2]translate.Key
	keys[p.From], keys[p.From^1] = *k, *there
	id := l.sessions.Open(i, p, &keys, uint32(at)+1)
	if id == translate.None {
		if other := l.sessions.Find(p.From^1, there, p.Time); other != translate.None && l.sessions.Session(other).Closed() {
			l.sessions.End(other)
			id = l.sessions.Open(i, p, &keys, uint32(at)+1)
		}
	}
	return id
}

// fromServer: what a backend sends from the port of its service leaves with the service's address, whatever is known of the connection.
func (l *Balancer) fromServer(b *nf.Batch, i uint16, p *nf.Packet, class translate.Class, k *translate.Key) {
	to := translate.EndOf(p.Dst(p.Data), p.DstPort)
	if n := l.serviceOf(to, p.Kind, p.Proto, class != translate.Plain); n >= 0 && class != translate.Error {
		l.hairpins++ // the backend would answer the client directly, with an address that the client does not expect
		b.Drop(i, nf.DropHairpin)
		return
	}
	if class != translate.Plain {
		l.passed++
		return
	}
	client, server := l.ends(k)
	if l.ping(b, i, p, client) {
		return
	}
	begins := p.Proto == packet.ProtoTCP && p.TCPFlags&(packet.SYN|packet.ACK) == packet.SYN
	for at := range l.backends {
		x := &l.backends[at]
		v := &l.services[x.service]
		if x.end != server || server.Port == 0 || v.proto != p.Proto || v.kind != p.Kind || begins {
			continue
		}
		known := v.end
		if known.Port == 0 {
			known.Port = server.Port
		}
		there := l.key(client, known, k)
		if l.open(i, p, k, &there, at) != translate.None {
			x.active++
		}
		l.write(b, i, p, class, k, &there)
		return
	}
	l.passed++
}

func (l *Balancer) ended(id uint32) {
	if n := int(l.sessions.Session(id).Tag) - 1; n >= 0 {
		l.backends[n].active--
	}
}

// hash is the same for all that has to go to one backend.
func (l *Balancer) hash(v *service, client, server translate.End) uint64 {
	h := mix(mix(l.seed, client.Hi^0xe7037ed1a0b428db), client.Lo)
	if !v.byClient {
		h = mix(h, uint64(client.Port)<<16|uint64(server.Port)^0x589965cc75374cc3)
	}
	return mix(h, 0x1d8e4e27c47d124f)
}

// Translate implements nf.Translator.
func (l *Balancer) Translate(frame []byte, in *packet.Info, from nf.Side, now int64) bool {
	if in.Kind == packet.NotIP {
		return true
	}
	var k translate.Key
	class := translate.Look(frame, in, from, &k)
	if class > translate.Error {
		return true
	}
	if id := l.sessions.Find(from, &k, now); id != translate.None {
		s := l.sessions.Session(id)
		translate.Write(frame, in, from, class, &s.Keys[from], &s.Keys[from^1])
	}
	return true
}

// StateVersion is that of package translate.
func (l *Balancer) StateVersion() uint16 { return translate.Version }

// AppendEntries appends the sessions that have changed.
func (l *Balancer) AppendEntries(dst []byte, function uint8) []byte {
	return l.sessions.AppendEntries(dst, function)
}

// ApplyEntry takes a session over. Its backend is found by address and port, since another configuration may list it elsewhere, or not at all.
func (l *Balancer) ApplyEntry(e *state.Entry) error {
	id, err := l.sessions.Apply(e)
	if err != nil || id == translate.None {
		return err
	}
	s := l.sessions.Session(id)
	_, asked := l.ends(&s.Keys[l.clients])
	_, given := l.ends(&s.Keys[l.clients^1])
	n := l.serviceOf(asked, s.Keys[0].Kind(), s.Proto(), false)
	if n < 0 {
		l.sessions.End(id)
		return nil
	}
	for at := range l.backends {
		if x := &l.backends[at]; x.service == n && x.end.SameAddress(given) && (x.end.Port == given.Port || x.end.Port == 0 && given.Port == asked.Port) {
			s.Tag = uint32(at) + 1
			x.active++
		}
	}
	return nil
}

// ForgetEntries implements nf.EntryState.
func (l *Balancer) ForgetEntries(moved func(sub uint16) bool) { l.sessions.Forget(moved) }

// Report tells the counters, and how many connections each backend was given and has.
func (l *Balancer) Report(r *nf.Report) {
	for name, v := range map[string]int64{
		"translated": l.translated, "passed": l.passed, "refused": l.refused, "moved": l.moved, "stateless": l.stateless, "hairpins": l.hairpins,
		"pings": l.pings, "fragments": l.fragments, "expired": l.sessions.Expired, "evicted": l.sessions.Evicted, "sessions": int64(l.sessions.Len()),
	} {
		r.Counters[name] = v
	}
	for i := range l.backends {
		x := &l.backends[i]
		r.Counters["connections_"+x.name] += x.connections
		r.Counters["active_"+x.name] += x.active
	}
}
