package rig

import (
	"encoding/json"
	"time"
)

// Status is what demo, bench and tests read of the gateway's status, as a user's script would: out of the JSON of its admin address.
type Status struct {
	Ledger struct {
		Account
		Ports map[string]Account `json:"ports"`
	} `json:"ledger"`
	Packets struct {
		Redispatched uint64   `json:"redispatched"`
		Delays       []uint64 `json:"delays"` // element i counts delays below 2^i microseconds
	} `json:"packets"`
	Memory struct {
		SlotBytes int `json:"bytes_per_slot"`
		FlowBytes int `json:"bytes_per_flow"`
	} `json:"memory"`
	Workers []Worker                   `json:"workers"`
	Reports map[uint32]json.RawMessage `json:"reports"`
}

// Account is one column of the ledger, in packets.
type Account struct {
	Received  uint64            `json:"received"`
	Injected  uint64            `json:"injected"`
	Forwarded uint64            `json:"forwarded"`
	Bypassed  uint64            `json:"bypassed"`
	Dropped   map[string]uint64 `json:"dropped"` // by reason
	InFlight  uint64            `json:"in_flight"`
}

// DroppedTotal is the sum over all reasons.
func (a *Account) DroppedTotal() (n uint64) {
	for _, v := range a.Dropped {
		n += v
	}
	return n
}

// Worker is one worker of the fleet.
type Worker struct {
	ID    uint32 `json:"id"`
	State string `json:"state"`
}

// Report is what the bench and the demo read of a worker's report; the functions' own counters are beside it.
type Report struct {
	PID      int    `json:"pid"`
	Mallocs  uint64 `json:"mallocs"` // heap objects since the process began
	Packets  uint64 `json:"packets"`
	Batches  uint64 `json:"batches"`
	BytesIn  uint64 `json:"bytes_in"` // on the connection, TLS included
	BytesOut uint64 `json:"bytes_out"`
}

// WorkerReport takes a worker's newest report out of a status; false where it has sent none yet.
func WorkerReport(s *Status, worker uint32) (r Report, ok bool) {
	text, ok := s.Reports[worker]
	return r, ok && json.Unmarshal(text, &r) == nil
}

// ActiveWorker returns a worker that is active, and its report.
func ActiveWorker(s *Status) (id uint32, r Report, ok bool) {
	for _, w := range s.Workers {
		if w.State == "active" {
			if r, ok = WorkerReport(s, w.ID); ok {
				return w.ID, r, true
			}
		}
	}
	return 0, Report{}, false
}

// DelaySince returns the median and the 99th percentile of delays between two looks at one gateway; upper bounds, powers of two of a microsecond.
func (s *Status) DelaySince(last *Status) (p50, p99 time.Duration) {
	h := make([]uint64, len(s.Packets.Delays))
	all := uint64(0)
	for i, n := range s.Packets.Delays {
		if h[i] = n; i < len(last.Packets.Delays) {
			h[i] -= last.Packets.Delays[i]
		}
		all += h[i]
	}
	below := func(percent uint64) time.Duration {
		rank := all * percent / 100
		for i, n := range h {
			if rank < n {
				return time.Microsecond << i
			}
			rank -= n
		}
		return 0 // nothing came
	}
	return below(50), below(99)
}
