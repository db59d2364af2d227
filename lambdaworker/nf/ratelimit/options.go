package ratelimit

import (
	"fmt"
	"math"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/state"
)

// Options are what granule.yaml may say.
type Options struct {
	By               string  `yaml:"by"`   // flow, source, destination or total
	From             string  `yaml:"from"` // the side whose packets are limited: inside, outside or, by flow and in total, both
	PacketsPerSecond float64 `yaml:"packets_per_second"`
	BitsPerSecond    float64 `yaml:"bits_per_second"`
	Burst            uint64  `yaml:"burst"` // packets, or bytes where bits are limited
	Prefix           Prefix  `yaml:"prefix"`
	Addresses        int     `yaml:"addresses"` // how many to know at a time
}

// Prefix says how much of an address has one bucket.
type Prefix struct {
	IPv4 int `yaml:"ipv4"`
	IPv6 int `yaml:"ipv6"`
}

// Defaults and bounds of bursts: Linux' `limit` has 5 packets too, and what is smaller than a packet lets none pass at all.
const (
	defaultPackets = 5
	defaultBytes   = 15000
	largestPacket  = 1500
	longestFill    = 30 * 24 * 3600 // s
)

// New makes a limiter from its options.
func New(s nf.Setup) (nf.NF, error) {
	o := Options{By: "flow", From: "both", Addresses: 65536, Prefix: Prefix{32, 64}}
	if err := s.Options.Decode(&o); err != nil {
		return nil, err
	}
	var l limiter
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
	if p := o.Prefix; p.IPv4 < 1 || p.IPv4 > 32 || p.IPv6 < 1 || p.IPv6 > 128 {
		say("prefix", "prefix is {ipv4: %d, ipv6: %d}; expected 1 to 32 and 1 to 128", p.IPv4, p.IPv6)
	}
	if bad != nil {
		return nil, bad
	}
	if o.By == "flow" {
		return &FlowLimiter{limiter: l, flows: s.Flows, buckets: make([]bucket, s.Flows.Cap())}, nil
	}
	if o.By == "total" {
		o.Addresses = 1
	}
	k := &KeyLimiter{limiter: l, total: o.By == "total", dst: o.By == "destination", mask: [2][2]uint64{mask(96 + o.Prefix.IPv4), mask(o.Prefix.IPv6)},
		buckets: make([]bucket, o.Addresses), keys: state.NewTable(o.Addresses, max(l.slack, 1e9), s.Seed), dirty: make([]bool, o.Addresses), changed: make([]change, 0, nf.MaxBatch)}
	k.keys.OnEvict(func(key uint32) { k.buckets[key] = bucket{} })
	return k, nil
}

// mask has the first n bits of 128.
func mask(n int) [2]uint64 {
	if n <= 64 {
		return [2]uint64{^uint64(0) << (64 - n), 0}
	}
	return [2]uint64{^uint64(0), ^uint64(0) << (128 - n)}
}

func (l *limiter) side(o *Options, say func(key, format string, a ...any)) {
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
	case "flow", "total":
		return
	case "source", "destination":
	default:
		say("by", "by is %q; expected flow, source, destination or total", o.By)
		return
	}
	if o.From == "both" {
		say("by", "by %s, packets of one side can be limited; add from: inside or from: outside", o.By)
	}
	l.affinity = nf.ByOutside
	if l.from[nf.Inside] != (o.By == "destination") {
		l.affinity = nf.ByInside
	}
}

func (l *limiter) rate(o *Options, say func(key, format string, a ...any)) {
	per := o.PacketsPerSecond
	switch {
	case o.PacketsPerSecond < 0 || o.BitsPerSecond < 0 || math.IsNaN(o.PacketsPerSecond+o.BitsPerSecond):
		say("packets_per_second", "the rate is below 0; expected packets_per_second or bits_per_second above 0")
		return
	case o.PacketsPerSecond > 0 && o.BitsPerSecond > 0:
		say("bits_per_second", "packets_per_second and bits_per_second are both set; expected one (use two ratelimits for both)")
		return
	case o.BitsPerSecond > 0:
		per, l.bytes = o.BitsPerSecond/8, true
	case o.PacketsPerSecond == 0:
		say("packets_per_second", "no rate; expected packets_per_second or bits_per_second above 0")
		return
	}
	cost := 256e9 / per
	if cost < 1 || cost > 1<<58 || l.bytes && cost > 1<<42 {
		say("packets_per_second", "the rate is out of range; expected a packet in ten years, or 60 bit/s, to 2 Tbit/s")
		return
	}
	l.perUnit = int64(math.Round(cost))
	switch {
	case o.Burst == 0 && l.bytes:
		o.Burst = max(uint64(per/10), defaultBytes)
	case o.Burst == 0:
		o.Burst = max(uint64(per/10), defaultPackets)
	case l.bytes && o.Burst < largestPacket:
		say("burst", "burst is %d bytes, less than a packet of %d bytes, which would never pass; expected that much at least", o.Burst, largestPacket)
		return
	}
	slack := float64(o.Burst) * cost / 256
	if slack > longestFill*1e9 {
		say("burst", "burst is %d, which the rate takes %.0f days to fill; expected 30 days at most", o.Burst, slack/1e9/24/3600)
		return
	}
	l.slack = int64(slack)
}
