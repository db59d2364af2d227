// Package counter is the paper's packet counter: packets, bytes and rates by direction, protocol, VLAN and size, the flows that
// carry the most, and thresholds that raise events. It changes and drops nothing. README.md has the options.
package counter

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
)

func init() {
	nf.Register(nf.Type{Name: "counter", Doc: "counts packets, bytes and rates, shows the biggest flows, raises events at thresholds", New: New})
}

// Options are what granule.yaml may say.
type Options struct {
	Average    time.Duration `yaml:"average"`     // time constant of the rates, 100ms to 1h
	Top        int           `yaml:"top"`         // flows to show; 0 turns flows off
	TopEntries int           `yaml:"top_entries"` // flows to watch, at least as many
	Thresholds []Threshold   `yaml:"thresholds"`
}

// Counter counts what passes. All its state is shared: it adds up over workers.
type Counter struct {
	options Options
	cells   cells
	vlans   *vlans // nil until the first VLAN tag
	sizes   sizes
	rate    rate
	top     *top // nil where flows are off
	limits  limits
}

// New makes a Counter from its options.
func New(s nf.Setup) (nf.NF, error) {
	o := Options{Average: 10 * time.Second, Top: 10, TopEntries: 1000}
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	var bad nf.Problems
	say := func(key, format string, a ...any) {
		file, line, column := s.Options.Pos(key)
		bad = append(bad, nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)})
	}
	if o.Average < 100*time.Millisecond || o.Average > time.Hour {
		say("average", "average is %v; expected 100ms to 1h", o.Average)
	}
	if o.Top < 0 || o.Top > 1000 {
		say("top", "top is %d; expected 0 (off) to 1000", o.Top)
	}
	if o.TopEntries < max(o.Top, 1) || o.TopEntries > 1<<20 {
		say("top_entries", "top_entries is %d; expected %d (as many as top shows) to %d", o.TopEntries, max(o.Top, 1), 1<<20)
	}
	for i, t := range o.Thresholds {
		if err := t.validate(); err != nil {
			say("thresholds", "threshold %d: %v", i+1, err)
		}
	}
	if len(o.Thresholds) > 64 {
		say("thresholds", "%d thresholds; at most 64 are possible", len(o.Thresholds))
	}
	if bad != nil {
		return nil, bad
	}
	c := &Counter{options: o, rate: newRate(o.Average), limits: limits{all: o.Thresholds}}
	if o.Top > 0 {
		c.top = newTop(o.TopEntries, s.Flows, s.Seed)
	}
	return c, nil
}

// Needs: headers are read; flows only to show the biggest.
func (c *Counter) Needs() nf.Needs { return nf.Needs{Reads: nf.Headers, Flows: c.top != nil} }

// Process counts. What every packet adds to stays in registers until the batch, or a step of the averages, ends.
func (c *Counter) Process(b *nf.Batch) {
	packets := b.Packets
	pending, sizes := &c.cells.pending, &c.sizes.pending
	top, judged := c.top, c.limits.all != nil
	next := c.rate.next
	var all, outside count
	for _, i := range b.Live {
		p := &packets[i]
		if p.Time >= next {
			c.rate.add(&all, &outside)
			c.rate.tick(p.Time)
			next = c.rate.next
		}
		n := size(p)
		cell := &pending[cellOf(p)]
		if cell.Packets == 0 {
			c.cells.touched = append(c.cells.touched, cellOf(p))
		}
		cell.Packets++
		cell.Bytes += n
		side := uint64(p.From & 1)
		all.Packets++
		all.Bytes += n
		outside.Packets += side
		outside.Bytes += n & -side
		sizes[min(uint(bits.Len32(p.Wire>>6)), 6)]++
		if p.VLANs > 0 {
			c.countVLAN(p.VLAN[0]&0xfff, n)
		}
		if top != nil && p.Flow != nf.NoFlow {
			e := &top.entries[top.byFlow[p.Flow]]
			if e.flow != p.Flow || !e.listed {
				e = top.meet(p)
			}
			e.bytes += n
			e.packets++
		}
		if judged {
			c.limits.judge(c, b, p, n)
		}
	}
	c.rate.add(&all, &outside)
}

// Tick implements nf.Ticker: in silence rates decay.
func (c *Counter) Tick(b *nf.Batch) {
	if c.rate.next != 0 && b.Now >= c.rate.next {
		c.rate.tick(b.Now)
	}
}

// The functions below are nf.FlowState: no flow has state that would have to move, but a handle that starts to mean another
// flow has to be known.

// StateVersion is 1 for ever: there is nothing to encode.
func (c *Counter) StateVersion() uint16 { return 1 }

// AppendFlow appends nothing.
func (c *Counter) AppendFlow(dst []byte, _ uint32) []byte { return dst }

// ApplyFlow refuses everything.
func (c *Counter) ApplyFlow(uint32, []byte) error { return errFlow }

// ForgetFlow unties the handle from what was counted under it.
func (c *Counter) ForgetFlow(flow uint32) {
	if c.top != nil {
		c.top.forget(flow)
	}
}

var errFlow = errors.New("a counter keeps no state of flows")

// size is what counters count: from the network header to the datagram's end by its length field, as nft does.
func size(p *nf.Packet) uint64 {
	if p.Kind == packet.NotIP {
		return uint64(max(p.Wire, 14) - 14)
	}
	return uint64(p.IPLen)
}

func (c *Counter) countVLAN(id uint16, n uint64) {
	if c.vlans == nil {
		c.vlans = new(vlans) // once, when the first tag is seen
	}
	c.vlans.add(id, count{1, n})
}
