package firewall

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/conntrack"
	"github.com/granule-nf/granule/lambdaworker/nf/firewall/program"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "firewall", Doc: "Accepts, drops or rejects packets by an nftables rule set.", New: New})
}

// Firewall is the function. It is used by one goroutine.
type Firewall struct {
	machine  program.Machine // its last limit is that of events
	view     program.View    // of the packet that is being judged
	options  options
	exported []program.Count // what AppendShared has said of counts
	flows    *state.Table
	track    *conntrack.Tracker
	cache    cache
	answers  answers

	identity uint64 // of the rules, for deltas

	stats         [numStats]uint64
	evicted       [4]uint64        // what countEvictions has counted of the flow table
	exportedStats [numStats]uint64 // what AppendShared has said of stats
}

// Needs follows from the rules: flows where they ask for ct state, injection where they reject.
// A ruleset without ct statements is judged fragment by fragment: the kernel puts datagrams together for connection tracking alone.
func (f *Firewall) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Headers, Flows: f.machine.Program.Tracks, Datagrams: f.machine.Program.Tracks, Injects: f.machine.Program.Rejects}
}

// Process judges the packets of a batch.
func (f *Firewall) Process(b *nf.Batch) {
	v := &f.view
	for _, i := range b.Live {
		p := &b.Packets[i]
		if f.machine.Program.Tracks && f.known(b, p) {
			continue
		}
		if p.Kind == packet.NotIP {
			if broken(p) {
				f.broken(b, i)
			}
			continue
		}
		switch p.Problem {
		case packet.BadIPVersion, packet.BadIPHeaderLen, packet.BadIPLength:
			f.broken(b, i)
			continue
		}
		if !f.machine.Program.Tracks {
			f.decide(b, i, f.judge(b, i, v, 0))
			continue
		}
		state := f.track.Track(p)
		d := f.judge(b, i, v, state)
		if d == nf.Pass && f.track.Unconfirmed {
			f.track.Confirm(p.Flow)
		}
		if f.track.Changed {
			b.Touch(p.Flow)
			if d == nf.Pass {
				b.Flows.SetClass(p.Flow, f.track.Class(p.Flow))
			}
		}
		f.decide(b, i, d)
	}
}

// Resync takes up connections where they are found.
func (f *Firewall) Resync() {
	if f.track != nil {
		f.track.Resync()
	}
}

// broken: the EtherType says IP and the header is not one.
func broken(p *nf.Packet) bool {
	return p.EtherType == packet.EtherIPv4 || p.EtherType == packet.EtherIPv6
}

// broken settles a packet that a router's IP layer throws away before any rule sees it.
func (f *Firewall) broken(b *nf.Batch, i uint16) {
	f.stats[malformedSeen]++
	if f.options.passMalformed {
		return
	}
	f.decide(b, i, nf.DropMalformed)
}

// judge returns the verdict of a packet in that ct state: the one its flow had before, where that is right, or by the rules.
func (f *Firewall) judge(b *nf.Batch, i uint16, v *program.View, state uint8) nf.Verdict {
	p := &b.Packets[i]
	var e *cached
	if cacheable(p) {
		if e = f.cache.entry(p); e.holds(p, state) {
			for _, c := range e.counters[:e.n] {
				f.machine.Counts[c].Add(p)
			}
			return e.verdict
		}
	}
	v.Look(p)
	v.State = state
	if f.machine.Program.UsesConn {
		v.Conn = f.track.Conn(p, state)
	}
	f.machine.Path.N, f.machine.Path.Deps = 0, 0
	d := f.machine.Evaluate(b, i, v)
	if e != nil {
		e.store(p, state, &f.machine.Path, d)
	}
	return d
}

func (f *Firewall) decide(b *nf.Batch, i uint16, d nf.Verdict) {
	f.stats[statOf[d]]++
	if d != nf.Pass {
		b.Drop(i, d)
	}
}
