package counter

import (
	"errors"
	"strconv"

	"github.com/granule-nf/granule/lambdaworker/nf"
	"github.com/granule-nf/granule/lambdaworker/nf/eve"
)

// Threshold raises an event when what it names is passed: totals once, rates each time they rise above it, after they fell below nine tenths.
type Threshold struct {
	Packets          uint64 `yaml:"packets"`
	Bytes            uint64 `yaml:"bytes"`
	PacketsPerSecond uint64 `yaml:"packets_per_second"`
	BitsPerSecond    uint64 `yaml:"bits_per_second"`
}

func (t *Threshold) validate() error {
	n := 0
	for _, v := range []uint64{t.Packets, t.Bytes, t.PacketsPerSecond, t.BitsPerSecond} {
		if v > 0 {
			n++
		}
	}
	if n != 1 {
		return errors.New("expected exactly one of packets, bytes, packets_per_second and bits_per_second, above 0")
	}
	return nil
}

// limits are the thresholds and how far they are. Thresholds are judged packet by packet, so the event names the packet that passed them.
type limits struct {
	all    []Threshold
	passed uint64 // a bit a threshold
	sent   uint64 // passed, as others know it
	seen   count  // all packets, with those of other instances
	raised uint64

	sentRaised uint64
}

func (l *limits) unsentRaised() uint64 { return l.raised - l.sentRaised }

func (l *limits) judge(c *Counter, b *nf.Batch, p *nf.Packet, size uint64) {
	l.seen.add(count{1, size})
	for n := range l.all {
		name, limit, value := l.all[n].value(c)
		bit := uint64(1) << n
		switch {
		case value > float64(limit) && l.passed&bit == 0:
			l.passed |= bit
			l.raised++
			b.Events.Commit(event(b.Events.Room(), p, name, limit, value))
		case value < 0.9*float64(limit):
			l.passed &^= bit
		}
	}
}

func (t *Threshold) value(c *Counter) (name string, limit uint64, value float64) {
	switch {
	case t.Packets > 0:
		return "packets", t.Packets, float64(c.limits.seen.Packets)
	case t.Bytes > 0:
		return "bytes", t.Bytes, float64(c.limits.seen.Bytes)
	case t.PacketsPerSecond > 0:
		return "packets_per_second", t.PacketsPerSecond, c.rate.packetsPerSecond()
	}
	return "bits_per_second", t.BitsPerSecond, c.rate.bitsPerSecond()
}

func event(line []byte, p *nf.Packet, name string, limit uint64, value float64) []byte {
	line = eve.Begin(line, p, "anomaly")
	line = append(line, `,"anomaly":{"type":"threshold","event":"counter.`...)
	line = append(line, name...)
	line = append(line, `","limit":`...)
	line = strconv.AppendUint(line, limit, 10)
	line = append(line, `,"value":`...)
	line = strconv.AppendUint(line, uint64(value), 10)
	line = append(line, '}')
	return eve.End(line)
}
