// Package nat is source NAT for IPv4: connections from inside leave with an address of the gateway's and a port that they have whatever they
// talk to. README.md has the options and the rules of the RFCs.
package nat

import (
	"encoding/binary"
	"net/netip"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "nat", Doc: "source NAT of IPv4, with forwards of ports and blocks of ports per host", New: New})
}

// NAT translates.
type NAT struct {
	o        *checked
	inside   []prefix
	own      map[uint64]int // numbers of the outside addresses
	sessions *translate.Table
	mappings mappings
	pool     pool
	b        *nf.Batch // while it is at work
	warned   int64     // when a host without anything was last refused in an event
	c        counters
}

// prefix is an inside network.
type prefix struct{ addr, mask uint32 }

// counters are what Report tells.
type counters struct {
	translated, passed, exhausted, tableFull, hostLimit, untranslatable, fragments, unsolicited, hairpinned, forwarded int64
}

// New makes a NAT from its options.
func New(s nf.Setup) (nf.NF, error) {
	o, err := check(&s)
	if err != nil {
		return nil, err
	}
	n := &NAT{o: o, own: map[uint64]int{}, sessions: translate.New(o.Sessions, o.Timeouts, s.Seed), mappings: newMappings(o.Sessions, s.Seed), pool: newPool(o, s.Seed)}
	for i, a := range o.Addresses {
		n.own[addrOf(a)] = i
	}
	for _, p := range o.Inside {
		n.inside = append(n.inside, prefix{uint32(addrOf(p.Masked().Addr())), ^uint32(0) << (32 - p.Bits())})
	}
	n.sessions.OnEnd(n.ended)
	n.pool.onLease = n.leaseEvent
	return n, nil
}

func addrOf(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(binary.BigEndian.Uint32(b[:]))
}

// Needs: both flows of a connection have the outside end's address in common, before and after translation.
func (n *NAT) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Headers, Writes: nf.Headers, Datagrams: true, Translates: true, Affinity: nf.ByOutside}
}

// Process rewrites what goes out and what comes back.
func (n *NAT) Process(b *nf.Batch) {
	n.b = b
	n.sessions.Begin(b.Packets[b.Live[0]].Time)
	n.sessions.Ahead(b)
	for _, i := range b.Live {
		p := &b.Packets[i]
		if p.Kind != packet.IPv4 {
			n.c.passed++
			continue
		}
		l := n.sessions.Looked(i)
		if l.Class <= translate.Error {
			if id := n.sessions.FindLooked(p.From, l, p.Time); id != translate.None {
				if l.Class == translate.Plain {
					n.sessions.Hit(i, id, p.From, &p.Info, p.Time)
				}
				n.rewrite(i, p, l.Class, id)
				continue
			}
		}
		if p.From == nf.Outside {
			n.fromOutside(i, p, l.Class, &l.Key)
		} else {
			n.fromInside(i, p, l.Class, &l.Key)
		}
	}
	n.b = nil
}

// Tick implements nf.Ticker: what has ended gives its ports back, though no packet comes.
func (n *NAT) Tick(b *nf.Batch) {
	n.b = b
	n.sessions.Sweep(b.Now)
	n.b = nil
}

// Confirm implements nf.Confirmer.
func (n *NAT) Confirm(b *nf.Batch) {
	n.b = b
	n.sessions.Confirm(b)
	n.b = nil
}

func (n *NAT) rewrite(i uint16, p *nf.Packet, class translate.Class, id uint32) {
	s := n.sessions.Session(id)
	translate.Write(p.Data, &p.Info, p.From, class, &s.Keys[p.From], &s.Keys[p.From^1])
	n.b.Change(i, nf.Headers)
	n.c.translated++
}

func (n *NAT) drop(i uint16, v nf.Verdict, count *int64) {
	*count++
	n.b.Drop(i, v)
}

// translates: no list of prefixes means every host inside.
func (n *NAT) translates(p *nf.Packet) bool {
	a := binary.BigEndian.Uint32(p.Src(p.Data))
	for _, x := range n.inside {
		if a&x.mask == x.addr {
			return true
		}
	}
	return len(n.inside) == 0
}

// fromOutside: what is sent to a port that leads inside begins a session; what else is sent to one of our addresses ends here, since nobody
// has asked for it; the rest is not ours.
func (n *NAT) fromOutside(i uint16, p *nf.Packet, class translate.Class, k *translate.Key) {
	if _, ours := n.own[uint64(binary.BigEndian.Uint32(p.Dst(p.Data)))]; !ours {
		n.c.passed++
		return
	}
	switch class {
	case translate.Fragment:
		n.drop(i, nf.DropFragment, &n.c.fragments)
		return
	case translate.Broken:
		n.drop(i, nf.DropUntranslatable, &n.c.untranslatable)
		return
	}
	f := n.forwardOf(k.In(), k.Proto())
	if f == nil || class != translate.Plain {
		n.drop(i, nf.DropUnsolicited, &n.c.unsolicited)
		return
	}
	keys := [2]translate.Key{translate.KeyOf(f.to, k.Out(), k.Proto(), packet.IPv4, k[5]), *k}
	id := n.sessions.Open(i, p, &keys, 0)
	if id == translate.None {
		n.drop(i, nf.DropNATTable, &n.c.tableFull)
		return
	}
	n.c.forwarded++
	n.rewrite(i, p, class, id)
}

// forwardOf is the static mapping of an outside end, forwardTo that of an inside one.
func (n *NAT) forwardOf(e translate.End, proto uint8) *forward {
	for i := range n.o.forwards {
		if f := &n.o.forwards[i]; f.original == e && f.proto == proto {
			return f
		}
	}
	return nil
}

func (n *NAT) forwardTo(e translate.End, proto uint8) *forward {
	for i := range n.o.forwards {
		if f := &n.o.forwards[i]; f.to == e && f.proto == proto {
			return f
		}
	}
	return nil
}

// fromInside begins a session. What can't begin one does not leave: it would show an address that nobody outside can answer.
func (n *NAT) fromInside(i uint16, p *nf.Packet, class translate.Class, k *translate.Key) {
	if !n.translates(p) {
		n.c.passed++
		return
	}
	switch {
	case class == translate.Fragment:
		n.drop(i, nf.DropFragment, &n.c.fragments)
		return
	case class != translate.Plain || !opens(p):
		n.drop(i, nf.DropUntranslatable, &n.c.untranslatable)
		return
	}
	to := k.Out()
	if _, ours := n.own[to.Lo]; ours { // the way back inside (hairpin, RFC 4787 REQ-9)
		var found bool
		if to, found = n.behind(to, k); !found {
			n.drop(i, nf.DropUnsolicited, &n.c.unsolicited)
			return
		}
		n.c.hairpinned++
	}
	from, m, why := n.outsideOf(k)
	if why != nf.Pass {
		switch why {
		case nf.DropHostLimit:
			n.drop(i, why, &n.c.hostLimit)
		case nf.DropNATTable:
			n.drop(i, why, &n.c.tableFull)
		default:
			n.drop(i, why, &n.c.exhausted)
		}
		n.refusedEvent(p, k, why)
		return
	}
	keys := [2]translate.Key{*k, translate.KeyOf(from, to, k.Proto(), packet.IPv4, k[5])}
	id := n.sessions.Open(i, p, &keys, m+1)
	if id == translate.None {
		if m != none && n.mappings.all[m].sessions == 0 {
			n.forget(m)
		}
		n.drop(i, nf.DropNATTable, &n.c.tableFull)
		n.refusedEvent(p, k, nf.DropNATTable)
		return
	}
	if m != none {
		n.mappings.all[m].sessions++
	}
	n.rewrite(i, p, class, id)
}

// opens reports whether a packet may begin a session.
func opens(p *nf.Packet) bool {
	switch p.Proto {
	case packet.ProtoTCP:
		return p.Frag || p.TCPFlags&packet.RST == 0
	case packet.ProtoICMP:
		return p.Learned || p.ICMPType == 8 || p.ICMPType == 13 || p.ICMPType == 15 || p.ICMPType == 17
	case packet.ProtoAH, protoDCCP: // their checksums cover the addresses in a way that can't be updated
		return false
	}
	return true
}

const protoDCCP = 33

// behind is the inside end that an outside one stands for.
func (n *NAT) behind(e translate.End, k *translate.Key) (translate.End, bool) {
	if f := n.forwardOf(e, k.Proto()); f != nil {
		return f.to, true
	}
	if m := n.mappings.byOut(joined(e), k[5], k.Proto()); m != none {
		return split(n.mappings.all[m].in), true
	}
	return e, false
}

// outsideOf is the outside end of an inside one, and its mapping: none if that is a static one. The verdict says why there is none.
func (n *NAT) outsideOf(k *translate.Key) (translate.End, uint32, nf.Verdict) {
	in, vlan, proto := k.In(), k[5], k.Proto()
	if len(n.o.forwards) > 0 {
		if f := n.forwardTo(in, proto); f != nil {
			return f.original, none, nf.Pass
		}
	}
	if m := n.mappings.byIn(joined(in), vlan, proto); m != none {
		return split(n.mappings.all[m].out), m, nf.Pass
	}
	if !n.sessions.MakeRoom() {
		return in, none, nf.DropNATTable
	}
	h := n.pool.hostOf(in.Lo, vlan)
	if h == none {
		return in, none, nf.DropNATTable
	}
	out, ok := uint64(0), false
	if set := portsOf(proto); set >= 0 {
		var address int
		var port uint16
		if address, port, ok = n.pool.choose(h, in.Port, set); ok {
			out = n.pool.addresses[address]<<16 | uint64(port)
		}
	} else {
		out, ok = n.portless(h, in, vlan, proto)
	}
	if !ok {
		why := nf.DropNAT
		if int(n.pool.hosts[h].ports) >= n.o.HostPorts {
			why = nf.DropHostLimit
		}
		n.pool.leave(h)
		return in, none, why
	}
	m := n.mappings.add(joined(in), out, vlan, proto, h)
	if m == none {
		n.pool.give(h, out, portsOf(proto))
		return in, none, nf.DropNATTable
	}
	return split(out), m, nf.Pass
}

// portless finds an address for a protocol whose ports, if it has any, stay as they are: one that no other host has for it.
func (n *NAT) portless(h uint32, in translate.End, vlan uint64, proto uint8) (uint64, bool) {
	x := &n.pool.hosts[h]
	if int(x.ports) >= n.o.HostPorts {
		return 0, false
	}
	for i := range n.pool.addresses {
		out := n.pool.addresses[(int(x.address)+i)%len(n.pool.addresses)]<<16 | uint64(in.Port)
		if n.mappings.byOut(out, vlan, proto) == none {
			x.ports++
			return out, true
		}
	}
	return 0, false
}

// ended gives back what a session had.
func (n *NAT) ended(id uint32) {
	m := n.sessions.Session(id).Tag - 1
	if m == none {
		return
	}
	if k := &n.mappings.all[m]; k.sessions > 1 {
		k.sessions--
		return
	}
	n.forget(m)
}

func (n *NAT) forget(m uint32) {
	k := n.mappings.all[m]
	n.mappings.remove(m)
	n.pool.give(k.host, k.out, portsOf(k.proto))
}

// Translate implements nf.Translator.
func (n *NAT) Translate(frame []byte, in *packet.Info, from nf.Side, now int64) bool {
	if in.Kind != packet.IPv4 {
		return true
	}
	var k translate.Key
	class := translate.Look(frame, in, from, &k)
	if class > translate.Error {
		return true
	}
	if id := n.sessions.Find(from, &k, now); id != translate.None {
		s := n.sessions.Session(id)
		translate.Write(frame, in, from, class, &s.Keys[from], &s.Keys[from^1])
	}
	return true
}

// StateVersion is that of package translate.
func (n *NAT) StateVersion() uint16 { return translate.Version }

// AppendEntries appends the sessions that have changed. Mappings, ports and blocks need no state of their own: they follow from them.
func (n *NAT) AppendEntries(dst []byte, function uint8) []byte {
	return n.sessions.AppendEntries(dst, function)
}

// ApplyEntry takes a session over, with its mapping and port.
func (n *NAT) ApplyEntry(e *state.Entry) error {
	id, err := n.sessions.Apply(e)
	if err != nil || id == translate.None {
		return err
	}
	s := n.sessions.Session(id)
	if s.Keys[0].Kind() != packet.IPv4 {
		n.sessions.End(id)
		return translate.ErrEntry
	}
	in, out, vlan, proto := s.Keys[0].In(), s.Keys[1].In(), s.Keys[0][5], s.Proto()
	if f := n.forwardOf(out, proto); f != nil && f.to == in {
		return nil
	}
	m := n.mappings.byIn(joined(in), vlan, proto)
	switch {
	case m != none && n.mappings.all[m].out != joined(out), m == none && n.mappings.byOut(joined(out), vlan, proto) != none:
		return nil // another worker chose otherwise: the session stands for itself
	case m == none:
		h := n.pool.hostOf(in.Lo, vlan)
		if h == none {
			return nil
		}
		if m = n.mappings.add(joined(in), joined(out), vlan, proto, h); m == none {
			n.pool.leave(h)
			return nil
		}
		n.pool.take(h, joined(out), portsOf(proto))
	}
	s.Tag = m + 1
	n.mappings.all[m].sessions++
	return nil
}

// ForgetEntries implements nf.EntryState.
func (n *NAT) ForgetEntries(moved func(sub uint16) bool) { n.sessions.Forget(moved) }

// Report tells the counters; what the table, the hosts and the pool hold now are gauges.
func (n *NAT) Report(r *nf.Report) {
	for name, v := range map[string]int64{
		"translated": n.c.translated, "passed": n.c.passed, "exhausted": n.c.exhausted, "table_full": n.c.tableFull, "host_limit": n.c.hostLimit,
		"untranslatable": n.c.untranslatable, "fragments": n.c.fragments, "unsolicited": n.c.unsolicited, "hairpinned": n.c.hairpinned,
		"forwarded": n.c.forwarded, "expired": n.sessions.Expired, "evicted": n.sessions.Evicted,
		"sessions": int64(n.sessions.Len()), "mappings": int64(n.mappings.count), "hosts": int64(n.pool.hostCount),
		"blocks_leased": int64(n.pool.leased), "blocks": int64(len(n.pool.blocks)),
	} {
		r.Counters[name] = v
	}
}
