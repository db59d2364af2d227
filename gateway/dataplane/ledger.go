package dataplane

import (
	"fmt"
	"sync/atomic"

	"github.com/granule-nf/granule/gateway/dataplane/classify"
	"github.com/granule-nf/granule/ingress"
	"github.com/granule-nf/granule/ingress/packet"
)

// Ledger is what became of every packet, by the port it came in on (injected frames: the port they leave on).
type Ledger struct {
	Ports [2]PortLedger
	// Problems counts received packets whose headers contradict each other, by what is wrong with them.
	Problems [packet.NumProblems]uint64
	// Layer2 counts packets that crossed unjudged because they are on the list `layer2`, by their place in classify.Layer2.Names.
	Layer2 [classify.MaxLayer2]uint64
	// What settles without a verdict, policy open: packets forwarded as they came.
	OpenNoWorker, OpenOverload, OpenNoVerdict, OpenPoison uint64
	// Late counts verdicts for packets that had been settled already.
	Late uint64
	// Replayed counts packets sent again because the worker that had them was lost.
	Replayed uint64
	// Gaps counts times without a heartbeat, in which the XDP program relayed or dropped frames by itself.
	Gaps uint64
	// Handoffs counts sub-flows with state that went from one worker to another, ImportedBytes the bytes of that, HandoffsFailed those that
	// were given up before the switch.
	Handoffs, ImportedBytes, HandoffsFailed uint64
	// What the replicas hold now, what they gave up for room, deltas of workers that could not be read to their end, and entries of flows
	// whose worker is another.
	ReplicaEntries, ReplicaBytes, ReplicaEvicted, ReplicaDamaged, ReplicaRefused uint64
	// FlowTableFull counts packets whose flow had no place in the flow table; they share their sub-flow's order.
	FlowTableFull uint64
	// Crossed counts packets handed to another shard.
	Crossed uint64
	// Batches and BatchPackets tell how well shipping batches.
	Batches, BatchPackets uint64
	// Delay is a histogram of the time from receive to retire: bucket i counts packets below 2^i microseconds.
	Delay [24]uint64
	// DelayNS is the sum of those times.
	DelayNS uint64
	// Flows is how many flows the table has now.
	Flows uint64
	// Wire are the ports' own counters, a little behind: asking the kernel for them is a system call.
	Wire [2]ingress.PortStats
}

// PortLedger is the ledger of one side.
type PortLedger struct {
	Received, ReceivedBytes   uint64
	Injected                  uint64
	Forwarded, ForwardedBytes uint64
	Bypassed                  uint64
	InFlight                  uint64
	Dropped                   [NumReasons]uint64
}

// Check returns an error that says by how much the ledger does not close, if it does not.
func (l *Ledger) Check() error {
	for side := range l.Ports {
		p := &l.Ports[side]
		out := p.Forwarded + p.Bypassed + p.InFlight
		for _, n := range p.Dropped {
			out += n
		}
		if in := p.Received + p.Injected; in != out {
			return fmt.Errorf("ledger of port %d does not close: received %d + injected %d, but %d accounted for (forwarded %d, bypassed %d, in flight %d)",
				side, p.Received, p.Injected, out, p.Forwarded, p.Bypassed, p.InFlight)
		}
	}
	return nil
}

// Add adds m to l.
func (l *Ledger) Add(m *Ledger) {
	dst, src := l.words(), m.words()
	for i := range dst {
		dst[i] += src[i]
	}
}

// published is a ledger that one thread writes and others read whole: a sequence lock over plain words. The writer
// never waits; a reader repeats when it met a write.
type published struct {
	seq atomic.Uint64
	w   [ledgerWords]atomic.Uint64
}

func (p *published) store(l *Ledger) {
	s := p.seq.Load()
	p.seq.Store(s + 1)
	for i, v := range l.words() {
		if p.w[i].Load() != v { // most words stand still: a load is a tenth of a store that orders
			p.w[i].Store(v)
		}
	}
	p.seq.Store(s + 2)
}

func (p *published) load(l *Ledger) {
	dst := l.words()
	for {
		s := p.seq.Load()
		if s&1 != 0 {
			continue
		}
		for i := range dst {
			dst[i] = p.w[i].Load()
		}
		if p.seq.Load() == s {
			return
		}
	}
}
