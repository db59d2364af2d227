// Package nat is source NAT for IPv4: connections from inside leave with an address of the gateway's and a port out of a block
// that their host has leased. README.md has the options and the lease model.
package nat

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/translate"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "nat", Doc: "source NAT of IPv4 with leased blocks of ports", New: New})
}

// Options are what granule.yaml may say.
type Options struct {
	Addresses []netip.Addr   `yaml:"addresses"` // to leave with
	Ports     string         `yaml:"ports"`     // "first-last"
	Block     int            `yaml:"block"`     // ports a lease has
	Leases    int            `yaml:"leases"`    // blocks a host may lease at a time
	Inside    []netip.Prefix `yaml:"inside"`    // whose packets are translated
	LogLeases bool           `yaml:"log_leases"`
}

// NAT translates.
type NAT struct {
	inside  []netip.Prefix
	leases  leases
	records *translate.Table
	flows   *state.Table
	log     bool

	translated, passed, exhausted, untranslatable, unsolicited int64
}

// New makes a NAT from its options.
func New(s nf.Setup) (nf.NF, error) {
	o := Options{Ports: "1024-65535", Block: 512, Leases: 4}
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	var bad nf.Problems
	say := func(key, format string, a ...any) {
		file, line, column := s.Options.Pos(key)
		bad = append(bad, nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)})
	}
	if len(o.Addresses) == 0 || len(o.Addresses) > 256 {
		say("addresses", "%d addresses; expected 1 to 256 IPv4 addresses to leave with", len(o.Addresses))
	}
	for i, a := range o.Addresses {
		if !a.Is4() {
			say("addresses", "%v is no IPv4 address; IPv6 needs no NAT and passes", a)
		}
		for _, b := range o.Addresses[:i] {
			if a == b {
				say("addresses", "%v is there twice", a)
			}
		}
	}
	for _, p := range o.Inside {
		if !p.Addr().Is4() {
			say("inside", "%v is no IPv4 prefix", p)
		}
	}
	var first, last int
	if n, err := fmt.Sscanf(o.Ports+"\n", "%d-%d\n", &first, &last); n != 2 || err != nil || first < 1 || last > 65535 || first > last {
		say("ports", "ports is %q; expected FIRST-LAST within 1-65535", o.Ports)
	} else if o.Block < 1 || o.Block > last-first+1 {
		say("block", "block is %d; expected 1 to %d, the number of ports", o.Block, last-first+1)
	}
	if o.Leases < 1 || o.Leases > 64 {
		say("leases", "leases is %d; expected 1 to 64", o.Leases)
	}
	if bad != nil {
		return nil, bad
	}
	return &NAT{inside: o.Inside, leases: newLeases(&o, first, last, s.Seed), records: translate.New(s.Flows), flows: s.Flows, log: o.LogLeases}, nil
}

// Needs: both flows of a connection have the outside end's address in common, before and after translation.
func (n *NAT) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Headers, Writes: nf.Headers, Flows: true, Translates: true, Affinity: nf.ByOutside}
}

// FlowTimeout keeps translations for 2 hours and 4 minutes of silence, as RFC 5382 (REQ-5) asks for established TCP connections, whose ends
// may send a keep-alive every two hours.
func (n *NAT) FlowTimeout() time.Duration { return 124 * time.Minute }

// Process rewrites what goes out and what comes back.
func (n *NAT) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		switch {
		case p.Kind != packet.IPv4:
			n.passed++
		case n.records.Rewrite(b, i):
			n.translated++
		case p.From == nf.Outside:
			n.fromOutside(b, i, p)
		case !n.translates(p):
			n.passed++
		default:
			n.open(b, i, p)
		}
	}
}

// translates: no list of prefixes means every host inside.
func (n *NAT) translates(p *nf.Packet) bool {
	if len(n.inside) == 0 {
		return true
	}
	a := netip.AddrFrom4([4]byte(p.Src(p.Data)))
	for _, prefix := range n.inside {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// fromOutside: what is sent to one of our addresses without anybody having asked for it ends here; the rest is not ours.
func (n *NAT) fromOutside(b *nf.Batch, i uint16, p *nf.Packet) {
	if n.leases.owns([4]byte(p.Dst(p.Data))) {
		n.unsolicited++
		b.Drop(i, nf.DropNAT)
		return
	}
	n.passed++
}

// open starts the translation of a new connection.
func (n *NAT) open(b *nf.Batch, i uint16, p *nf.Packet) {
	port, ok := identity(p)
	if !ok || p.Flow == nf.NoFlow {
		n.untranslatable++ // letting it out would show an address that nobody outside can answer
		b.Drop(i, nf.DropNAT)
		return
	}
	host := [4]byte(p.Src(p.Data))
	found := n.leases.find(host, port, func(address [4]byte, port uint16) bool {
		key := answers(p, address, port)
		return !n.records.Taken(&key) && n.pair(b, p, host, address, port, &key)
	})
	if !found.ok {
		n.exhausted++
		b.Drop(i, nf.DropNAT)
		return
	}
	if found.fresh && n.log {
		b.Events.Commit(n.leases.event(b.Events.Room(), p, found.block))
	}
	n.records.Rewrite(b, i)
	n.translated++
}

func (n *NAT) pair(b *nf.Batch, p *nf.Packet, host, address [4]byte, port uint16, key *packet.Key) bool {
	own, _ := identity(p)
	out := translate.Record{Port: port, Field: translate.Src, Size: 4}
	in := translate.Record{Port: own, Field: translate.Dst, Size: 4}
	if p.Reverse {
		out.Tag = higherEnd
	}
	copy(out.Addr[:], address[:])
	copy(in.Addr[:], host[:])
	return n.records.Pair(b, p.Flow, out, key, in, p.Time)
}

// identity returns what tells connections of one host apart, and whether the packet can open one.
func identity(p *nf.Packet) (port uint16, ok bool) {
	switch {
	case p.Frag || !p.HasL4:
	case p.Proto == packet.ProtoTCP || p.Proto == packet.ProtoUDP:
		return p.SrcPort, true
	case p.Proto == packet.ProtoICMP && p.ICMPType == 8 && int(p.L4)+8 <= len(p.Data):
		return packet.ICMPHeader(p.Data[p.L4:]).ID(), true
	}
	return 0, false
}

// answers is the key of packets that answer p once it has left from address and port.
func answers(p *nf.Packet, address [4]byte, port uint16) packet.Key {
	dstPort := p.DstPort
	if p.Proto == packet.ProtoICMP {
		dstPort = port
	}
	key, _ := packet.KeyOf(&p.Key, p.Dst(p.Data), address[:], dstPort, port, p.Proto)
	return key
}

// Translate implements nf.Translator.
func (n *NAT) Translate(frame []byte, in *packet.Info, _ nf.Side, _ int64) bool {
	n.records.Frame(frame, in)
	return true
}

// Report tells the counters; leased and connections are gauges.
func (n *NAT) Report(r *nf.Report) {
	r.Counters["translated"] = n.translated
	r.Counters["passed"] = n.passed
	r.Counters["exhausted"] = n.exhausted
	r.Counters["untranslatable"] = n.untranslatable
	r.Counters["unsolicited"] = n.unsolicited
	r.Counters["blocks_leased"] = int64(n.leases.leased)
	r.Counters["blocks"] = int64(len(n.leases.blocks))
}

// StateVersion is that of package translate.
func (n *NAT) StateVersion() uint16 { return translate.Version }

// AppendFlow appends what the flow is rewritten to. Leases need no state of their own: they follow from it.
func (n *NAT) AppendFlow(dst []byte, flow uint32) []byte { return n.records.Append(dst, flow) }

// ApplyFlow takes the flow over, and the lease of its port.
func (n *NAT) ApplyFlow(flow uint32, data []byte) error {
	n.ForgetFlow(flow)
	if err := n.records.Apply(flow, data); err != nil {
		return err
	}
	r := n.records.Of(flow)
	if r.Size != 4 {
		n.records.Forget(flow)
		return translate.ErrRecord
	}
	if r.Field == translate.Src {
		if host, ok := n.hostOf(flow, r); ok {
			n.leases.take(host, [4]byte(r.Address()), r.Port)
		}
	}
	return nil
}

// ForgetFlow gives the port back.
func (n *NAT) ForgetFlow(flow uint32) {
	r := n.records.Forget(flow)
	if r.Size == 4 && r.Field == translate.Src {
		n.leases.give([4]byte(r.Address()), r.Port)
	}
}

// hostOf is the inside host of an outgoing flow: the end of its key that Tag says.
func (n *NAT) hostOf(flow uint32, r *translate.Record) ([4]byte, bool) {
	lower, higher, _ := (*packet.Key)(n.flows.Key(flow)).Endpoints()
	if r.Tag == higherEnd {
		lower = higher
	}
	return lower.Addr().As4(), lower.Addr().Is4()
}

// higherEnd is the Tag of an outgoing flow whose host is the higher endpoint of its key.
const higherEnd = 1
