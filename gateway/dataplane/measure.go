package dataplane

import "github.com/granule-nf/granule/relay/wire"

// Measure is what a shard has counted since it began: what the coordinator decides from.
type Measure struct {
	Stages  []StageLoad
	Workers []WorkerLoad
}

// StageLoad are the packets of a stage's sub-flows, whether or not a worker had room for them.
type StageLoad struct {
	Packets [SubFlows]uint32 // modulo 2^32
	Bytes   [SubFlows]uint32 // of their frames, in units of 64, modulo 2^32
	Waiting int              // packets that wait for their sub-flow to have a worker
}

// WorkerLoad is one connection's worker.
type WorkerLoad struct {
	Worker   uint32
	Pool     int
	Load     wire.Load // as it said last
	Answered uint64    // packets
	InFlight int       // packets that it has and has not answered
	OldestNS int64     // how long the oldest of them has been there
	SubFlows int       // that it has the state of
}

// arrivals counts what comes for a sub-flow.
type arrivals struct{ packets, bytes uint32 }

// count notes a packet that comes for a sub-flow.
func (a *arrivals) count(bytes uint32) {
	a.packets++
	a.bytes += bytes >> 6
}

// Measure has the shard write what it has counted to m, and then call done, on its own thread. It reports false if the shard has ended.
func (s *Shard) Measure(m *Measure, done func()) bool {
	return s.mail.post(func(s *Shard) {
		if !s.end.over {
			s.measure(m)
		}
		done()
	})
}

func (s *Shard) measure(m *Measure) {
	if len(m.Stages) != len(s.routes) {
		m.Stages = make([]StageLoad, len(s.routes))
	}
	m.Workers = m.Workers[:0]
	for i := range s.conns.all {
		if c := &s.conns.all[i]; c.used {
			w := WorkerLoad{Worker: c.worker, Pool: c.pool, Load: c.load, Answered: c.answered, InFlight: c.inflight}
			if since := c.link.OldestUnanswered(); since != 0 {
				w.OldestNS = max(s.clock.now-since, 0)
			}
			m.Workers = append(m.Workers, w)
		}
	}
	for stage := range s.routes {
		r, l := &s.routes[stage], &m.Stages[stage]
		l.Waiting = 0
		for sub := range r.arrivals {
			l.Packets[sub], l.Bytes[sub] = r.arrivals[sub].packets, r.arrivals[sub].bytes
			l.Waiting += r.waiting[sub].n
			if holder := r.state[sub]; holder != 0 {
				for i := range m.Workers {
					if m.Workers[i].Worker == holder {
						m.Workers[i].SubFlows++
						break
					}
				}
			}
		}
	}
}

// Load implements relay.Handler.
func (s *Shard) Load(l wire.Load) { s.conns.answering().load = l }
