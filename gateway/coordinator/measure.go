package coordinator

import (
	"time"

	"github.com/granule-nf/granule/gateway/coordinator/placer"
	"github.com/granule-nf/granule/gateway/dataplane"
)

const (
	// measureEvery is how often loads are read. A surge is half that old in the mean when it is seen.
	measureEvery = 250 * time.Millisecond
	// firstGuess is how many packets a second a worker is thought to carry before any has been busy for long enough to tell.
	firstGuess = 100_000
	// tellingBusy is for how long a worker must have been busy for what it did in that time to say something.
	tellingBusy = 20 * time.Millisecond
	// learning is how much of a new measurement of a capacity counts; that of a worker that has all it can do tells more.
	learning      = 0.2
	learningSated = 0.6
	// slow is the share of its stage's capacity below which a worker is known to be slower than others, and relieved; crippled the one below
	// which it is replaced, when it has been so for crippledFor.
	slow        = 0.6
	sated       = 0.7 // busy share from which on a worker shows what it can carry
	slowFor     = 30 * time.Second
	crippled    = 0.25
	crippledFor = 3 * time.Second
	// hung is how long a packet may be unanswered before its worker counts as crippled, whatever it has done so far.
	hung = 250 * time.Millisecond
)

// meter is what the shards had counted when they were read last.
type meter struct {
	at      time.Time
	packets [][]uint32 // of each stage's sub-flows, over all shards
	bytes   [][]uint32
	rates   [][]float64 // packets a second of each, and of bytes
	volumes [][]float64
	learned []float64 // packets a second that a worker of each stage carries, 0: not known
}

// load is what is known of one worker's.
type load struct {
	at        time.Time
	packets   uint64
	busyNS    uint64
	processNS uint64

	busy, processor, rate, volume float64
	capacity                      float64 // packets a second, 0: not known
	nominal                       float64 // what its stage's workers carry
	carries                       float64 // its load, in workers' worth
	oldest                        time.Duration
	slowness                      float64   // share of its stage's capacity that it has been seen to have, below 1
	until                         time.Time // when that is forgotten
	since                         time.Time // since when it is crippled
}

// share is what the worker carries in workers' worth: all of them the same, but for those that are known to be slower.
func (l *load) share() float64 {
	if l.slowness > 0 {
		return l.slowness
	}
	return 1
}

// judge says how slow the worker is by what it does when it is busy; what it does one packet at a time says little. Slowness is
// remembered for a while, since one that has been relieved shows nothing of it.
func (l *load) judge(now time.Time) {
	if now.After(l.until) {
		l.slowness = 0
	}
	seen := 0.0
	switch {
	case l.oldest > hung:
		seen = 0.1
	case l.busy > sated && l.capacity > 0 && l.capacity < slow*l.nominal:
		seen = l.capacity / l.nominal
	default:
		return
	}
	l.slowness, l.until = seen, now.Add(slowFor)
}

func (l *load) tell(x *Worker) {
	x.Capacity, x.Busy, x.Processor, x.Packets, x.Bytes = l.capacity, l.busy, l.processor, l.rate, l.volume
	x.Utilisation = l.carries / l.share()
}

// measured takes in what the shards have counted: rates of sub-flows, what workers can carry, and with that how many each stage needs.
func (c *Coordinator) measured(shards []dataplane.Measure) {
	now, m := time.Now(), &c.meter
	if m.packets == nil {
		for range c.pools {
			m.packets, m.bytes = append(m.packets, make([]uint32, dataplane.SubFlows)), append(m.bytes, make([]uint32, dataplane.SubFlows))
			m.rates, m.volumes = append(m.rates, make([]float64, dataplane.SubFlows)), append(m.volumes, make([]float64, dataplane.SubFlows))
		}
		m.learned = make([]float64, len(c.pools))
	}
	took := now.Sub(m.at).Seconds()
	first := m.at.IsZero()
	m.at = now
	c.learn(shards, now)
	for i := range c.pools {
		p := &c.pools[i]
		p.waiting = 0
		for sub := range p.loads {
			packets, bytes := uint32(0), uint32(0)
			for s := range shards {
				if i < len(shards[s].Stages) {
					packets += shards[s].Stages[i].Packets[sub]
					bytes += shards[s].Stages[i].Bytes[sub]
				}
			}
			m.rates[i][sub] = float64(packets-m.packets[i][sub]) / took
			m.volumes[i][sub] = float64(bytes-m.bytes[i][sub]) * 64 / took
			m.packets[i][sub], m.bytes[i][sub] = packets, bytes
		}
		for s := range shards {
			if i < len(shards[s].Stages) {
				p.waiting += shards[s].Stages[i].Waiting
			}
		}
		if !first {
			c.weigh(i, now)
		}
	}
}

// learn updates what is known of the workers.
func (c *Coordinator) learn(shards []dataplane.Measure, now time.Time) {
	type sum struct {
		packets, busyNS, processNS, answered uint64
		oldest                               int64
	}
	sums := map[uint32]*sum{}
	for s := range shards {
		for _, w := range shards[s].Workers {
			x := sums[w.Worker]
			if x == nil {
				x = &sum{}
				sums[w.Worker] = x
			}
			x.packets += w.Load.Packets
			x.busyNS += w.Load.BusyNS
			x.processNS = max(x.processNS, w.Load.ProcessNS)
			x.answered += w.Answered
			x.oldest = max(x.oldest, w.OldestNS)
		}
	}
	for id, x := range sums {
		w := c.workers[id]
		if w == nil {
			continue
		}
		w.judged = w.judged || x.answered > 0
		l := &w.load
		l.oldest = time.Duration(x.oldest)
		if x.busyNS == l.busyNS && x.packets == l.packets && x.processNS == l.processNS { // it has said nothing new
			continue
		}
		if !l.at.IsZero() && x.busyNS >= l.busyNS {
			took, busy := now.Sub(l.at), time.Duration(x.busyNS-l.busyNS)
			l.busy = min(busy.Seconds()/took.Seconds()/float64(max(c.cfg.Conns, 1)), 1)
			l.processor = float64(x.processNS-l.processNS) / float64(took)
			if packets := x.packets - l.packets; busy > tellingBusy && packets > 0 {
				can := float64(packets) / busy.Seconds() * float64(max(c.cfg.Conns, 1))
				switch {
				case l.capacity == 0:
					l.capacity = can
				case l.busy > sated:
					l.capacity += (can - l.capacity) * learningSated
				default:
					l.capacity += (can - l.capacity) * learning
				}
			}
		}
		l.at, l.packets, l.busyNS, l.processNS = now, x.packets, x.busyNS, x.processNS
	}
}

// weigh says what pool i's sub-flows weigh in workers' worth, and how many workers that takes.
func (c *Coordinator) weigh(i int, now time.Time) {
	p, m := &c.pools[i], &c.meter
	known, best := 0, 0.0
	for _, w := range c.of(i, Active, Draining) {
		if w.load.capacity > 0 {
			known++
			best = max(best, w.load.capacity)
		}
	}
	switch {
	case best > 0:
		m.learned[i] = best
	case m.learned[i] == 0:
		m.learned[i] = firstGuess
	}
	measured := make([]float64, len(p.loads))
	for sub := range measured {
		measured[sub] = m.rates[i][sub] / m.learned[i]
		if c.cfg.Bandwidth > 0 {
			measured[sub] = max(measured[sub], m.volumes[i][sub]/c.cfg.Bandwidth)
		}
	}
	placer.Smooth(p.loads, measured)
	carries, rates, volumes := map[uint32]float64{}, map[uint32]float64{}, map[uint32]float64{}
	for sub, id := range p.placed {
		carries[id] += p.loads[sub]
		rates[id] += m.rates[i][sub]
		volumes[id] += m.volumes[i][sub]
	}
	for _, w := range c.of(i, Active, Draining, Standby, Leaving) {
		w.load.carries, w.load.rate, w.load.volume = carries[w.id], rates[w.id], volumes[w.id]
		if w.load.nominal = 0; known > 1 {
			w.load.nominal = m.learned[i]
		}
		w.load.judge(now)
		c.replaceCrippled(w, now)
	}
	needed := placer.Needed(p.loads, 1, c.cfg.Target)
	if p.waiting > 0 {
		needed = max(needed, 1)
	}
	active, standby := p.scaler.Want(now, needed, p.limits)
	if active != p.active || standby != p.standby {
		c.log.Info("stage scaled", "stage", p.name, "workers", active, "standby", standby, "were", p.active)
	}
	p.active, p.standby = active, standby
	for _, w := range c.of(i, Active, Draining) {
		p.stale = p.stale || w.load.carries > c.cfg.Target*w.load.share()
	}
}

// replaceCrippled has a worker replaced that carries next to nothing of what the others of its stage do.
func (c *Coordinator) replaceCrippled(w *worker, now time.Time) {
	switch {
	case w.state != Active || w.load.share() >= crippled || len(c.of(w.pool, Active)) < 2:
		w.load.since = time.Time{}
	case w.load.since.IsZero():
		w.load.since = now
	case now.Sub(w.load.since) > crippledFor:
		c.draining(w.id, "it is much slower than the other workers of its stage")
	}
}
