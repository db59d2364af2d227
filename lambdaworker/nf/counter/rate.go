package counter

import (
	"math"
	"time"
)

// step is how often the averages move on.
const step = int64(100 * time.Millisecond)

// rate keeps exponentially weighted moving averages of packets and bytes a second, by direction. Time is that of the packets, and in silence
// that of Counter.Tick.
type rate struct {
	next           int64 // when the running step ends; ns since the Unix epoch
	decay          float64
	packets, bytes [2]uint64  // in the running step
	avg            [4]float64 // packets a second by side, bytes a second by side
	sent           [4]float64 // of avg: what others know, decayed alike
	sentStep       [4]uint64  // of the running step
}

func newRate(average time.Duration) rate {
	return rate{decay: math.Exp(-float64(step) / float64(average))}
}

// tick ends the running step, and those after it in which nothing came.
func (r *rate) tick(now int64) {
	if r.next == 0 {
		r.next = now - now%step + step
		return
	}
	r.advance(1 + (now-r.next)/step)
}

// add counts what came, of which some came from outside, and empties both.
func (r *rate) add(all, outside *count) {
	r.packets[0] += all.Packets - outside.Packets
	r.packets[1] += outside.Packets
	r.bytes[0] += all.Bytes - outside.Bytes
	r.bytes[1] += outside.Bytes
	*all, *outside = count{}, count{}
}

func (r *rate) advance(steps int64) {
	r.next += steps * step
	const perSecond = float64(time.Second) / float64(step)
	now := r.step()
	idle := math.Pow(r.decay, float64(steps-1))
	for i := range r.avg {
		r.avg[i] = (r.avg[i]*r.decay + (1-r.decay)*perSecond*float64(now[i])) * idle
		r.sent[i] = (r.sent[i]*r.decay + (1-r.decay)*perSecond*float64(r.sentStep[i])) * idle
	}
	r.packets, r.bytes, r.sentStep = [2]uint64{}, [2]uint64{}, [4]uint64{}
}

func (r *rate) step() [4]uint64 {
	return [4]uint64{r.packets[0], r.packets[1], r.bytes[0], r.bytes[1]}
}

// packetsPerSecond and bitsPerSecond are the averages up to the last whole step, over both directions.
func (r *rate) packetsPerSecond() float64 { return r.avg[0] + r.avg[1] }
func (r *rate) bitsPerSecond() float64    { return 8 * (r.avg[2] + r.avg[3]) }

// merge adds averages and counts of a running step that ends at next. Averages are sums of decayed packets, so they add up once
// they are of one time.
func (r *rate) merge(next int64, avg [4]float64, now [4]uint64) {
	switch {
	case r.next == 0:
		r.next = next
	case next > r.next:
		r.advance((next - r.next) / step)
	case next < r.next:
		late := rate{decay: r.decay, next: next, avg: avg, packets: [2]uint64{now[0], now[1]}, bytes: [2]uint64{now[2], now[3]}}
		late.advance((r.next - next) / step)
		avg, now = late.avg, [4]uint64{}
	}
	for i := range avg {
		r.avg[i] += avg[i]
		r.sent[i] += avg[i]
		r.sentStep[i] += now[i]
	}
	r.packets[0] += now[0]
	r.packets[1] += now[1]
	r.bytes[0] += now[2]
	r.bytes[1] += now[3]
}
