// Package ratelimit holds each flow, or each address, to a rate: a token bucket each. README.md has the options.
package ratelimit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/granule-nf/granule/ingress/packet"
	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

func init() {
	nf.Register(nf.Type{Name: "ratelimit", Doc: "holds each flow, source or destination to a rate", New: New})
}

// Options are what granule.yaml may say.
type Options struct {
	By               string `yaml:"by"`   // flow, source or destination
	From             string `yaml:"from"` // the side whose packets are limited: inside, outside or, by flow, both
	PacketsPerSecond uint64 `yaml:"packets_per_second"`
	BitsPerSecond    uint64 `yaml:"bits_per_second"`
	Burst            uint64 `yaml:"burst"`     // packets, or bytes where bits are limited
	Addresses        int    `yaml:"addresses"` // how many to know at a time
}

// Limiter keeps a token bucket for each flow or address. A bucket is one number, the time at which it will be full again if nothing
// more comes (the generic cell rate algorithm, ITU-T I.371: the theoretical arrival time). A packet passes if the bucket then is not further
// than a burst from full.
type Limiter struct {
	from     [2]bool
	affinity nf.Affinity
	perFlow  bool
	dst      bool  // the address is the packet's destination
	perUnit  int64 // what one packet, or one byte, costs: ns in 1/256
	bytes    bool
	slack    int64 // ns: a burst

	flows   *state.Table
	full    []int64      // by flow: when its bucket is full again; 0 is now
	buckets *state.Table // addresses, where limits are theirs
	fullAt  []int64      // by address
	whose   [][2]uint64  // by flow: its limited address

	passed, limited, limitedBytes int64
}

// New makes a Limiter from its options.
func New(s nf.Setup) (nf.NF, error) {
	o := Options{By: "flow", From: "both", Addresses: 65536}
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	l := &Limiter{flows: s.Flows}
	var bad nf.Problems
	say := func(key, format string, a ...any) {
		file, line, column := s.Options.Pos(key)
		bad = append(bad, nf.Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...)})
	}
	l.side(&o, say)
	l.rate(&o, say)
	if o.Addresses < 1 || o.Addresses > 1<<24 {
		say("addresses", "addresses is %d; expected 1 to %d", o.Addresses, 1<<24)
	}
	if bad != nil {
		return nil, bad
	}
	if l.perFlow {
		l.full = make([]int64, s.Flows.Cap())
		return l, nil
	}
	l.whose = make([][2]uint64, s.Flows.Cap())
	l.fullAt = make([]int64, o.Addresses)
	l.buckets = state.NewTable(o.Addresses, max(l.slack, 1e9), s.Seed)
	l.buckets.OnEvict(func(address uint32) { l.fullAt[address] = 0 })
	return l, nil
}

func (l *Limiter) side(o *Options, say func(key, format string, a ...any)) {
	switch o.From {
	case "inside":
		l.from[nf.Inside] = true
	case "outside":
		l.from[nf.Outside] = true
	case "both":
		l.from = [2]bool{true, true}
	default:
		say("from", "from is %q; expected inside, outside or both", o.From)
	}
	switch o.By {
	case "flow":
		l.perFlow = true
		return
	case "source":
	case "destination":
		l.dst = true
	default:
		say("by", "by is %q; expected flow, source or destination", o.By)
		return
	}
	if o.From == "both" {
		say("by", "by %s, packets of one side can be limited; add from: inside or from: outside", o.By)
	}
	l.affinity = nf.ByOutside
	if l.from[nf.Inside] != l.dst {
		l.affinity = nf.ByInside
	}
}

func (l *Limiter) rate(o *Options, say func(key, format string, a ...any)) {
	per := float64(o.PacketsPerSecond)
	switch {
	case o.PacketsPerSecond > 0 && o.BitsPerSecond > 0:
		say("bits_per_second", "packets_per_second and bits_per_second are both set; expected one (use two ratelimits for both)")
		return
	case o.BitsPerSecond > 0:
		per, l.bytes = float64(o.BitsPerSecond)/8, true
	case o.PacketsPerSecond == 0:
		say("packets_per_second", "no rate; expected packets_per_second or bits_per_second above 0")
		return
	}
	cost := 256e9 / per
	if cost < 1 || cost > 1<<42 {
		say("packets_per_second", "the rate is out of range; expected 1 packet a second to 2 Tbit/s")
		return
	}
	l.perUnit = int64(math.Round(cost))
	if o.Burst == 0 {
		o.Burst = max(uint64(per/10), 1) // a tenth of a second
		if l.bytes {
			o.Burst = max(o.Burst, 15000)
		}
	}
	slack := float64(o.Burst) * cost / 256
	if slack > 3600e9 {
		say("burst", "burst is %d, which the rate takes %.0f s to fill; expected an hour at most", o.Burst, slack/1e9)
		return
	}
	l.slack = int64(slack)
}

// Needs depends on whose bucket it is: all packets that share one have to meet at one worker.
func (l *Limiter) Needs() nf.Needs {
	return nf.Needs{Reads: nf.Headers, Flows: true, Affinity: l.affinity}
}

// Process lets packets pass as long as their bucket holds enough.
func (l *Limiter) Process(b *nf.Batch) {
	for _, i := range b.Live {
		p := &b.Packets[i]
		if !l.from[p.From&1] || p.Kind == packet.NotIP {
			continue
		}
		bucket := l.bucket(p)
		if bucket == nil {
			continue
		}
		cost := l.perUnit
		if l.bytes {
			cost *= int64(min(p.IPLen, 1<<17)) // a jumbogram may claim more than 63 bits hold
		}
		if full := max(*bucket, p.Time) + cost>>8; full-p.Time <= l.slack {
			*bucket = full
			l.passed++
			b.Touch(p.Flow)
			continue
		}
		l.limited++
		l.limitedBytes += int64(p.IPLen)
		b.Drop(i, nf.DropRate)
	}
}

// bucket returns the bucket of the packet's flow or address; nil if there is no room to know it, and it passes.
func (l *Limiter) bucket(p *nf.Packet) *int64 {
	if l.perFlow {
		if p.Flow == nf.NoFlow {
			return nil
		}
		return &l.full[p.Flow]
	}
	a := p.Src(p.Data)
	if l.dst {
		a = p.Dst(p.Data)
	}
	var who [2]uint64
	if p.Kind == packet.IPv4 {
		who[1] = 0xffff<<32 | uint64(binary.BigEndian.Uint32(a))
	} else {
		who[0], who[1] = binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(a[8:])
	}
	if p.Flow != nf.NoFlow {
		l.whose[p.Flow] = who
	}
	address, _ := l.buckets.Get(&[6]uint64{who[0], who[1]}, p.Time)
	if address == state.None {
		return nil
	}
	return &l.fullAt[address]
}

// Report tells what passed and what did not.
func (l *Limiter) Report(r *nf.Report) {
	r.Counters["passed"] = l.passed
	r.Counters["limited"] = l.limited
	r.Counters["limited_bytes"] = l.limitedBytes
}

// StateVersion is 1: eight bytes, when the bucket is full again, and where buckets are those of addresses the address, 16 bytes.
func (l *Limiter) StateVersion() uint16 { return 1 }

// AppendFlow appends the flow's bucket. One of an address goes with each of its flows: all of them move together, and the
// fullest time is the newest.
func (l *Limiter) AppendFlow(dst []byte, flow uint32) []byte {
	if l.perFlow {
		if l.full[flow] != 0 {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(l.full[flow]))
		}
		return dst
	}
	who := l.whose[flow]
	if who == [2]uint64{} {
		return dst
	}
	address := l.buckets.Find(&[6]uint64{who[0], who[1]})
	if address == state.None {
		return dst
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(l.fullAt[address]))
	dst = binary.LittleEndian.AppendUint64(dst, who[0])
	return binary.LittleEndian.AppendUint64(dst, who[1])
}

var errState = errors.New("not the state of a bucket of this kind")

// ApplyFlow takes the flow's bucket over.
func (l *Limiter) ApplyFlow(flow uint32, data []byte) error {
	want := 24
	if l.perFlow {
		want = 8
	}
	if len(data) != want {
		return errState
	}
	full := int64(binary.LittleEndian.Uint64(data))
	if full < 0 {
		return errState
	}
	if l.perFlow {
		l.full[flow] = full
		return nil
	}
	who := [2]uint64{binary.LittleEndian.Uint64(data[8:]), binary.LittleEndian.Uint64(data[16:])}
	l.whose[flow] = who
	if address := l.buckets.Put(&[6]uint64{who[0], who[1]}, full); address != state.None {
		l.fullAt[address] = max(l.fullAt[address], full)
	}
	return nil
}

// ForgetFlow empties the flow's state; the bucket of its address stays.
func (l *Limiter) ForgetFlow(flow uint32) {
	if l.perFlow {
		l.full[flow] = 0
	} else {
		l.whose[flow] = [2]uint64{}
	}
}
