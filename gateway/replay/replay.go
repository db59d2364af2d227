package replay

import (
	"slices"

	"github.com/granule-nf/granule/flowtable"
	"github.com/granule-nf/granule/gateway/chain"
	"github.com/granule-nf/granule/gateway/dataplane"
	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

// defaultBatch is how many packets are judged together. The result does not depend on it.
const defaultBatch = 32

// eventBytes is room for the events of a batch. Nobody waits for a replay, so it loses none that a worker, which
// has less room, would lose: at the end of a capture all flows may have something to say at once.
const eventBytes = 8 << 20

// flowBytes is that room where flows are told: one line of each at the end.
const flowBytes = 512 * nf.DefaultFlows

// maxSpan is how much time a batch may span, as nf.Pipeline.Room has it: no flow expires within a batch.
const maxSpan = int64(10e6)

// burst returns how many of frames, which are not empty, may be judged together.
func burst(frames []ingress.Frame) int {
	for i := range frames {
		if span := frames[i].Time - frames[0].Time; span > maxSpan || span < -maxSpan {
			return i
		}
	}
	return len(frames)
}

// fate is what becomes of a packet of a batch.
type fate struct {
	frame    ingress.Frame
	number   uint64
	from     ingress.Side
	dropped  bool
	bypassed bool
	upper    packet.Upper // of a fragment: what its datagram's first one said
	observed bool         // it crosses unjudged, and an IDS sees it
	reason   dataplane.Reason
	chain    int
	told     bool // a function has written the drop event itself
}

// replay is the chain alone, in this process: read, choose the chain, run its stages, write in the order of the capture.
// It is used by one goroutine, and allocates nothing once its buffers have grown.
type replay struct {
	cfg    config
	plan   *chain.Plan
	flows  *flowtable.Table
	hosts  insideHosts
	events events

	rules     classify.Rules
	fragments fragments
	at        classify.Packet // the one that is being classified
	fates     []fate
	members   [][]uint16      // of the batch, one list a chain
	left      []ingress.Frame // packets of the batch that leave, in order
	inserts   []insert
	made      []byte // bytes of what functions made

	packets counts
	number  uint64
	newest  int64
}

// insert is a frame that a function made, to leave behind the packet that caused it.
type insert struct {
	cause uint16
	frame []byte
}

// config is what a replay is told.
type config struct {
	DropUnmatched bool
	DropMalformed bool
	Layer2        classify.Layer2
	Injected      bool // frames that functions made are written too
	Batch         int
	Flows         int
	IdleNS        int64
	Seed          uint64
}

// counts are the packets of a replay: received = forwarded + bypassed + dropped.
type counts struct {
	received, forwarded, bypassed, injected uint64
	dropped                                 [dataplane.NumReasons]uint64
}

// flags of a flow's entry.
const openedReverse = 1

func newReplay(plan *chain.Plan, hosts insideHosts, cfg config) *replay {
	if cfg.Batch <= 0 || cfg.Batch > nf.MaxBatch {
		cfg.Batch = defaultBatch
	}
	r := &replay{
		cfg: cfg, plan: plan, hosts: hosts,
		rules:     classify.Rules{Choose: plan.Choose, DropMalformed: cfg.DropMalformed, DropUnmatched: cfg.DropUnmatched, Layer2: cfg.Layer2, Datagrams: plan.Datagrams()},
		flows:     flowtable.New(flowtable.Config{Flows: cfg.Flows, IdleNS: cfg.IdleNS, Seed: cfg.Seed}),
		fragments: newFragments(cfg.Seed),
		fates:     make([]fate, 0, cfg.Batch),
		members:   make([][]uint16, len(plan.Chains)),
		left:      make([]ingress.Frame, 0, 3*cfg.Batch),
	}
	for i := range r.members {
		r.members[i] = make([]uint16, 0, cfg.Batch)
		for j := range plan.Chains[i].Stages {
			stage := &plan.Chains[i].Stages[j]
			room := eventBytes
			if stage.Bundle.Events.Has(nf.EventFlow) {
				room += flowBytes
			}
			events := nf.NewEvents(room)
			events.Only(stage.Bundle.Events)
			stage.Pipeline.Start().Events = events
			stage.Pipeline.Dropped = nil // chain tells of drops itself
		}
	}
	return r
}

// batch judges frames, which are in the order of the capture, and returns those that leave. Both are valid until the
// next call.
func (r *replay) batch(frames []ingress.Frame) []ingress.Frame {
	r.fates = r.fates[:0]
	for c := range r.members {
		r.members[c] = r.members[c][:0]
	}
	r.inserts, r.left, r.made = r.inserts[:0], r.left[:0], r.made[:0]
	for i := range frames {
		r.ingest(&frames[i])
	}
	for c := range r.members {
		if len(r.members[c]) > 0 {
			r.chain(c)
		}
	}
	r.leave()
	r.events.write()
	return r.left
}

// ingest finds out what becomes of a packet by its bytes, and whether a chain wants it: by the rules of the running gateway.
func (r *replay) ingest(f *ingress.Frame) {
	r.number++
	r.packets.received++
	r.newest = max(r.newest, f.Time)
	at := &r.at
	r.rules.Packet(f.Data, f.Wire, at)
	switch {
	case at.Class == classify.Malformed:
		r.drop(f, r.number, dataplane.Malformed)
	case at.Class == classify.NotIP && r.rules.DropUnmatched:
		r.drop(f, r.number, dataplane.Unmatched)
	case at.Class == classify.NotIP, at.Class == classify.Bypassed && at.Info.Kind == packet.NotIP:
		r.add(f, r.number).bypassed = true
	case at.Class == classify.Judged && at.Info.Frag && r.rules.Datagrams:
		r.fragment(f, r.number)
	default:
		r.judge(f, r.number, packet.Upper{})
	}
}

// add begins the fate of a packet.
func (r *replay) add(f *ingress.Frame, number uint64) *fate {
	r.fates = append(r.fates, fate{frame: *f, number: number, chain: classify.NoChain})
	return &r.fates[len(r.fates)-1]
}

func (r *replay) drop(f *ingress.Frame, number uint64, why dataplane.Reason) {
	p := r.add(f, number)
	p.dropped, p.reason = true, why
}

// judge finds the flow of an IP packet, which r.at was filled from, and its chain.
func (r *replay) judge(f *ingress.Frame, number uint64, upper packet.Upper) {
	i, p, at := len(r.fates), r.add(f, number), &r.at
	if p.upper = upper; upper.Known {
		at.Info.SetUpper(upper)
		at.Reverse = at.Info.Key(f.Data, &at.Key)
	}
	p.observed = at.Class == classify.Bypassed
	p.bypassed = p.observed
	flow, fresh := r.flows.Get(&at.Key, f.Time)
	e := r.flows.Entry(flow)
	if fresh {
		e.Chain = r.rules.Chain(f.Data, f.Wire)
		if at.Reverse {
			e.Flags = openedReverse
		}
	}
	p.from = r.hosts.side(&at.Info, f.Data, at.Reverse == (e.Flags == openedReverse))
	switch {
	case e.Chain != classify.NoChain:
		p.chain = int(e.Chain)
		r.members[p.chain] = append(r.members[p.chain], uint16(i))
	case r.rules.DropUnmatched && !p.observed:
		p.dropped, p.reason = true, dataplane.Unmatched
	default:
		p.bypassed = true
	}
}

// chain judges the batch's packets of chain c: as many together as meet its stages in the same order, and are of one moment; fragments that were held
// are older than what came with the first of them.
func (r *replay) chain(c int) {
	for rest := r.members[c]; len(rest) > 0; {
		compiled := &r.plan.Chains[c]
		oneWay := len(compiled.Stages) > 1 && !compiled.Fixed
		n := 1
		for first := &r.fates[rest[0]]; n < min(len(rest), nf.MaxBatch); n++ {
			p := &r.fates[rest[n]]
			if span := p.frame.Time - first.frame.Time; oneWay && p.from != first.from || span > maxSpan || span < -maxSpan {
				break
			}
		}
		r.stages(c, rest[:n])
		rest = rest[n:]
	}
}

// stages runs the stages of chain c over packets; what one stage drops the next does not see.
func (r *replay) stages(c int, members []uint16) {
	compiled := &r.plan.Chains[c]
	s, step := 0, 1
	if r.fates[members[0]].from == ingress.Outside && !compiled.Fixed {
		s, step = len(compiled.Stages)-1, -1
	}
	for ; s >= 0 && s < len(compiled.Stages) && len(members) > 0; s += step {
		stage := &compiled.Stages[s]
		if !observes(&stage.Bundle) {
			members = slices.DeleteFunc(members, func(i uint16) bool { return r.fates[i].observed })
			if len(members) == 0 {
				return
			}
		}
		stage.Pipeline.Start()
		for _, i := range members {
			p := &r.fates[i]
			data := p.frame.Data
			if p.observed {
				data = r.keep(data) // it crosses as it is, whatever a function makes of it
			}
			stage.Pipeline.Add(data, p.frame.Wire, nf.Side(p.from), p.frame.Time, p.number)
			if p.upper.Known {
				stage.Pipeline.SetUpper(p.upper)
			}
		}
		b := stage.Pipeline.Run()
		r.collect(b, members)
		live := members[:0]
		for k, i := range members {
			p := &r.fates[i]
			if p.observed {
				live = append(live, i)
				continue
			}
			if v := b.Verdicts[k]; v != nf.Pass {
				p.dropped, p.reason = true, dataplane.FirstVerdict+dataplane.Reason(v)
				if !p.told && stage.Bundle.Events.Has(nf.EventDrop) {
					r.events.drop(&b.Packets[k], v)
				}
				continue
			}
			p.frame.Data, p.frame.Wire = b.Packets[k].Data, b.Packets[k].Wire
			if b.Changed[k] == nf.Full {
				p.frame.Data = r.keep(p.frame.Data)
			}
			live = append(live, i)
		}
		members = live
	}
}

// observes reports whether a stage is an IDS and nothing else: it is shown what crosses at layer 2, since an alert about it is worth
// having. Its verdicts on that mean nothing, and whatever else counts or drops never sees it.
func observes(b *nf.Bundle) bool {
	return !slices.ContainsFunc(b.NFs, func(f nf.BundleNF) bool { return f.Name != "ids" })
}

// keep copies what a pipeline made, which is its own to overwrite when it starts anew.
func (r *replay) keep(made []byte) []byte {
	at := len(r.made)
	r.made = append(r.made, made...)
	return r.made[at:len(r.made):len(r.made)]
}

// collect takes what the functions said and made.
func (r *replay) collect(b *nf.Batch, members []uint16) {
	first := r.fates[members[0]].number
	r.events.take(b, func(number uint64) {
		// Numbers ascend within members, but a chain's are not all of the capture's.
		for _, i := range members {
			if r.fates[i].number == number {
				r.fates[i].told = true
			}
		}
	}, first)
	for _, x := range b.Injected {
		if r.fates[members[x.Cause]].observed {
			continue
		}
		r.packets.injected++
		r.inserts = append(r.inserts, insert{members[x.Cause], r.keep(x.Frame)})
	}
}

// leave counts every packet and lines up those that leave, each with the frames it caused behind it.
func (r *replay) leave() {
	for i := range r.fates {
		p := &r.fates[i]
		switch {
		case p.dropped:
			r.packets.dropped[p.reason]++
			if p.chain == classify.NoChain {
				r.events.ownDrop(p)
			}
		case p.bypassed:
			r.packets.bypassed++
			r.left = append(r.left, p.frame)
		default:
			r.packets.forwarded++
			r.left = append(r.left, p.frame)
		}
		if !r.cfg.Injected {
			continue
		}
		for _, x := range r.inserts {
			if int(x.cause) == i {
				r.left = append(r.left, ingress.Frame{Data: x.frame, Wire: uint32(len(x.frame)), Time: p.frame.Time})
			}
		}
	}
}

// finish lets every function speak once more, when the capture is at its end. No first fragment comes any more.
func (r *replay) finish() {
	r.fates, r.inserts, r.left = r.fates[:0], r.inserts[:0], r.left[:0]
	r.fragments.table.DropAll(r.dropEnded)
	r.leave()
	for c := range r.plan.Chains {
		for s := range r.plan.Chains[c].Stages {
			r.events.take(r.plan.Chains[c].Stages[s].Pipeline.Flush(r.newest), func(uint64) {}, r.number)
		}
	}
	r.events.write()
}
