package firewall

import (
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "firewall", Doc: "Accepts, drops or rejects packets by an nftables rule set.", New: New})
}

// Firewall is the function. It is used by one goroutine.
type Firewall struct {
	program  *program
	options  options
	counts   []count
	exported []count  // what AppendShared has told of counts
	limits   []bucket // those of the rules, then that of events
	flows    *state.Table
	track    *tracker
	cache    cache
	answers  answers

	identity uint64 // of the rules, for deltas

	stats     [numStats]uint64
	told      [numStats]uint64 // what AppendShared has told of stats
	selection selection
	stack     [maxDepth]frame
	path      passage // of the packet that is being judged
}

// Needs follows from the rules: flows where they ask for ct state, injection where they reject.
func (f *Firewall) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Headers, Flows: f.program.tracks, Injects: f.program.rejects}
}

// Process judges the packets of a batch.
func (f *Firewall) Process(b *nf.Batch) {
	var v view
	for _, i := range b.Live {
		p := &b.Packets[i]
		if f.program.tracks && f.known(b, p) {
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
		if !f.program.tracks {
			f.decide(b, i, f.judge(b, i, &v, 0))
			continue
		}
		state := f.track.see(p)
		d := f.judge(b, i, &v, state)
		if d == nf.Pass && f.track.pending {
			f.track.keep(p.Flow)
		}
		if f.track.changed {
			b.Touch(p.Flow)
		}
		f.decide(b, i, d)
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
func (f *Firewall) judge(b *nf.Batch, i uint16, v *view, state uint8) nf.Verdict {
	p := &b.Packets[i]
	var e *cached
	if cacheable(p) {
		if e = f.cache.entry(p); e.holds(p, state) {
			for _, c := range e.counters[:e.n] {
				f.counts[c].add(p)
			}
			return e.verdict
		}
	}
	v.look(p)
	v.state = state
	f.path.n, f.path.deps = 0, 0
	d := f.evaluate(b, i, v)
	if e != nil {
		e.store(p, state, &f.path, d)
	}
	return d
}

func (f *Firewall) decide(b *nf.Batch, i uint16, d nf.Verdict) {
	f.stats[statOf[d]]++
	if d != nf.Pass {
		b.Drop(i, d)
	}
}

// count counts a packet and notes that it did.
func (f *Firewall) count(at int32, v *view) {
	f.counts[at].add(v.p)
	if f.path.n < pathCounters {
		f.path.counters[f.path.n] = at
	}
	f.path.n = min(f.path.n+1, pathCounters+1)
}

func (c *count) add(p *nf.Packet) {
	c.packets++
	c.bytes += uint64(p.IPLen)
}
